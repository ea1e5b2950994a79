package bundle

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// Lengths and signatures of the records at the end of a zip; APPNOTE.TXT 4.3.
const (
	recordLen    = 46 // one entry of the central directory, without its variable part
	endLen       = 22
	end64Len     = 56
	locator64Len = 20

	recordSignature    = "PK\x01\x02"
	endSignature       = "PK\x05\x06"
	end64Signature     = "PK\x06\x06"
	locator64Signature = "PK\x06\x07"
)

// contents is a zip's table of contents, its central directory.
type contents struct {
	files  []*zip.File
	offset int64 // where the table begins; data of files lies before it
}

// end is what the end record says, or the Zip64 end record in its stead.
type end struct {
	disk, tableDisk   uint32
	recordsHere       uint64 // on this disk
	records           uint64
	size, offset      uint64 // of the table
	position          int64  // of the end record itself
	diskFieldsUnknown bool   // entries may say 0xffff for their disk
}

// readContents reads the table of contents. archive/zip holds all of it in memory and counts its entries modulo
// 65536 only, so its size and the number of its entries are bounded and verified here first.
func readContents(ctx context.Context, r *io.SectionReader, limits Limits) (contents, error) {
	e, err := findEnd(r)
	if err != nil {
		return contents{}, err
	}
	if err := e.check(limits); err != nil {
		return contents{}, err
	}
	if err := walkTable(ctx, r, e); err != nil {
		return contents{}, err
	}
	zr, err := zip.NewReader(r, r.Size())
	switch {
	case isDiskError(err):
		return contents{}, fmt.Errorf("read archive: %w", err)
	case err != nil || uint64(len(zr.File)) != e.records:
		return contents{}, damaged()
	}
	return contents{files: zr.File, offset: int64(e.offset)}, nil
}

func damaged() *Fault {
	return refuseArchive(RuleStructure, "The zip's table of contents is damaged. Create the zip again and upload that.")
}

// isDiskError tells a disk that fails from bytes that are wrong.
func isDiskError(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno)
}

// readAt fills buf; bytes that are not there are the archive's fault.
func readAt(r io.ReaderAt, buf []byte, offset int64) error {
	_, err := r.ReadAt(buf, offset)
	switch {
	case isDiskError(err):
		return fmt.Errorf("read archive: %w", err)
	case err != nil && !errors.Is(err, io.EOF):
		return damaged()
	}
	return nil
}

// findEnd finds the end record, which may be followed by a comment.
func findEnd(r *io.SectionReader) (end, error) {
	size := r.Size()
	tail := make([]byte, min(size, endLen+0xffff))
	if err := readAt(r, tail, size-int64(len(tail))); err != nil {
		return end{}, err
	}
	at := -1
	if len(tail) >= endLen {
		at = bytes.LastIndex(tail[:len(tail)-endLen+len(endSignature)], []byte(endSignature))
	}
	if at < 0 {
		return end{}, foreign(r)
	}
	b := tail[at:]
	if endLen+int(binary.LittleEndian.Uint16(b[20:])) > len(b) {
		return end{}, cutOff()
	}
	e := end{
		disk:        uint32(binary.LittleEndian.Uint16(b[4:])),
		tableDisk:   uint32(binary.LittleEndian.Uint16(b[6:])),
		recordsHere: uint64(binary.LittleEndian.Uint16(b[8:])),
		records:     uint64(binary.LittleEndian.Uint16(b[10:])),
		size:        uint64(binary.LittleEndian.Uint32(b[12:])),
		offset:      uint64(binary.LittleEndian.Uint32(b[16:])),
		position:    size - int64(len(tail)) + int64(at),
	}
	return e.orZip64(r)
}

// orZip64 consults the Zip64 end record, if there is one and it is needed.
func (e end) orZip64(r io.ReaderAt) (end, error) {
	// 0xffff for the size is an oddity of archive/zip, which must see the same record as we do.
	needed := e.records == 0xffff || e.size == 0xffff || e.size == 0xffffffff || e.offset == 0xffffffff
	if (!needed && e.offset+e.size == uint64(e.position)) || e.position < locator64Len {
		return e, nil
	}
	var locator [locator64Len]byte
	if err := readAt(r, locator[:], e.position-locator64Len); err != nil {
		return end{}, err
	}
	if string(locator[:4]) != locator64Signature {
		return e, nil
	}
	e64, err := readEnd64(r, locator, e.position)
	if needed || err != nil {
		return e64, err
	}
	// Info-ZIP writes one that nobody needs when it packs a stream.
	e.position, e.diskFieldsUnknown = e64.position, true
	return e, nil
}

// readEnd64 follows the locator, in front of the end record at the given position, to the Zip64 end record.
func readEnd64(r io.ReaderAt, locator [locator64Len]byte, before int64) (end, error) {
	if binary.LittleEndian.Uint32(locator[4:]) != 0 || binary.LittleEndian.Uint32(locator[16:]) != 1 {
		return end{}, multiDisk()
	}
	position := binary.LittleEndian.Uint64(locator[8:])
	if position > uint64(before) || int64(position)+end64Len > before-locator64Len {
		return end{}, damaged()
	}
	var b [end64Len]byte
	if err := readAt(r, b[:], int64(position)); err != nil {
		return end{}, err
	}
	if string(b[:4]) != end64Signature {
		return end{}, damaged()
	}
	return end{
		disk:              binary.LittleEndian.Uint32(b[16:]),
		tableDisk:         binary.LittleEndian.Uint32(b[20:]),
		recordsHere:       binary.LittleEndian.Uint64(b[24:]),
		records:           binary.LittleEndian.Uint64(b[32:]),
		size:              binary.LittleEndian.Uint64(b[40:]),
		offset:            binary.LittleEndian.Uint64(b[48:]),
		position:          int64(position),
		diskFieldsUnknown: true,
	}, nil
}

func multiDisk() *Fault {
	return refuseArchive(RuleMultiDisk, "This is one part of a zip that was split into several. Create one zip in one file.")
}

func tooManyEntries(limits Limits) *Fault {
	return refuseArchive(RuleEntries, "The zip has more than %d entries, files and folders together. Upload fewer.", limits.entries())
}

// check judges the end record before anything that it describes is read.
func (e end) check(limits Limits) error {
	// The average entry has a name of some 60 bytes; one that needs four times that is not what is uploaded here.
	const perRecord = 256
	most := 64<<10 + uint64(limits.entries())*perRecord
	switch {
	case e.disk != 0 || e.tableDisk != 0 || e.recordsHere != e.records:
		return multiDisk()
	case e.records == 0 && e.size == 0:
		return empty()
	case e.records > uint64(limits.entries()):
		return tooManyEntries(limits)
	case e.size > most:
		return refuseArchive(RuleEntries, "The zip's table of contents takes more than %s. Use fewer or shorter names.", megabytes(int64(most)))
	case e.offset > uint64(e.position) || e.offset+e.size != uint64(e.position):
		return damaged()
	}
	return nil
}

// walkTable verifies that the table holds as many records as it should, ends where it should, and that no record
// lies on another disk. Then archive/zip cannot find more in it than was allowed.
func walkTable(ctx context.Context, r io.ReaderAt, e end) error {
	table := bufio.NewReaderSize(io.NewSectionReader(r, int64(e.offset), int64(e.size)), 32<<10)
	var record [recordLen]byte
	for range e.records {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.ReadFull(table, record[:]); err != nil {
			return damagedUnlessDisk(err)
		}
		if string(record[:4]) != recordSignature {
			return damaged()
		}
		disk := binary.LittleEndian.Uint16(record[34:])
		if disk != 0 && !(disk == 0xffff && e.diskFieldsUnknown) {
			return multiDisk()
		}
		rest := 0
		for _, at := range []int{28, 30, 32} { // lengths of name, extra field, comment
			rest += int(binary.LittleEndian.Uint16(record[at:]))
		}
		if _, err := table.Discard(rest); err != nil {
			return damagedUnlessDisk(err)
		}
	}
	if _, err := table.ReadByte(); !errors.Is(err, io.EOF) {
		return damagedUnlessDisk(err)
	}
	return nil
}

func damagedUnlessDisk(err error) error {
	if isDiskError(err) {
		return fmt.Errorf("read archive: %w", err)
	}
	return damaged()
}
