// Package bundle owns the way from an uploaded zip, which nobody has reason to trust, to a directory that is
// complete and durable, or to a refusal that names the entry and the rule.
//
// The order is what makes it safe: the size of the table of contents is bounded before archive/zip reads it;
// every entry is judged before the first byte is unpacked; what is unpacked is counted as it is written, through
// an os.Root, into a temporary directory that is renamed when all of it is on disk.
//
// It must not know anything of berth: no sites, no releases, no HTTP.
//
// Extract is safe for concurrent use, as long as no two calls name the same directory.
package bundle
