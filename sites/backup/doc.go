// Package backup owns the archive of a data directory, a gzipped tar: what of the directory is in it, how it is written beside a
// running service, and how it is read again.
//
// It must not know what is in the files; the caller makes the snapshot of the database and says which releases it names. It
// imports no other package of berth.
//
// Write and Sweep may run concurrently with each other, themselves and the service. Read wants the directory for itself.
package backup
