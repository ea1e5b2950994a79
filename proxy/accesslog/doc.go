// Package accesslog owns the access logs of the sites: their format, their files with rotation and bounds, and the reading of
// their last lines while they grow.
//
// It must not know HTTP servers or the panel: what ends comes as sites.Hit, and who may read a site's log is for
// others to decide.
//
// *Log is safe for concurrent use. A line is in its file, though not synced, before Take returns.
package accesslog
