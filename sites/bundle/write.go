package bundle

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
)

const (
	dirMode  fs.FileMode = 0o755
	fileMode fs.FileMode = 0o644
)

// writer writes one plan below root.
type writer struct {
	root   *os.Root
	limits Limits
	buf    []byte
	bytes  int64 // written so far
}

func writeAll(ctx context.Context, p *plan, root *os.Root, limits Limits) error {
	for _, dir := range p.dirs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := root.Mkdir(dir, dirMode); err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		if err := root.Chmod(dir, dirMode); err != nil { // whatever the umask is
			return fmt.Errorf("unpack: %w", err)
		}
	}
	w := &writer{root: root, limits: limits, buf: make([]byte, 64<<10)}
	for _, f := range p.files {
		if err := w.write(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// write unpacks one file.
func (w *writer) write(ctx context.Context, f file) (err error) {
	in, err := f.Open()
	if err != nil {
		return readFault(f, err)
	}
	defer in.Close()
	out, err := w.root.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	defer func() {
		if closeErr := out.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("unpack: %w", closeErr)
		}
	}()
	if err := out.Chmod(fileMode); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	return w.copy(ctx, out, in, f)
}

func (w *writer) copy(ctx context.Context, out io.Writer, in io.Reader, f file) error {
	var sum uint32
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, readErr := in.Read(w.buf)
		w.bytes += int64(n)
		if w.bytes > w.limits.Bytes {
			return tooLarge(f.Name, w.limits)
		}
		// archive/zip verifies every checksum but that of zero, which it takes for none.
		if f.CRC32 == 0 {
			sum = crc32.Update(sum, crc32.IEEETable, w.buf[:n])
		}
		if _, err := out.Write(w.buf[:n]); err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		switch {
		case errors.Is(readErr, io.EOF) && sum != 0:
			return readFault(f, zip.ErrChecksum)
		case errors.Is(readErr, io.EOF):
			return nil
		case readErr != nil:
			return readFault(f, readErr)
		}
	}
}

// readFault says what is wrong with an entry that cannot be unpacked.
func readFault(f file, err error) error {
	const again = "Create the zip again and upload that."
	switch {
	case isDiskError(err):
		return fmt.Errorf("read archive: %w", err)
	case errors.Is(err, zip.ErrChecksum):
		return refuseEntry(f.Name, RuleChecksum, "does not match its checksum", again)
	case errors.Is(err, zip.ErrFormat):
		return refuseEntry(f.Name, RuleSize, "holds more bytes than it says", again)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return refuseEntry(f.Name, RuleSize, "holds fewer bytes than it says", again)
	}
	return refuseEntry(f.Name, RuleCorrupt, "is damaged", again)
}
