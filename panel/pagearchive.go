package panel

import (
	"archive/zip"
	"bytes"
	"io"
	"path"
	"strings"
)

// isPage reports whether a file is a page by its name: the zip of a site of one page is what most people forget.
func isPage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return true
	}
	return false
}

// pageArchive reads as the zip of a site that is a single page, its index.html. It holds a part of the page at a time.
type pageArchive struct {
	page  io.Reader
	zip   *zip.Writer
	entry io.Writer
	ready bytes.Buffer // of the zip, not read yet
	ended bool
}

func newPageArchive(page io.Reader) (*pageArchive, error) {
	a := &pageArchive{page: page}
	a.zip = zip.NewWriter(&a.ready)
	var err error
	a.entry, err = a.zip.CreateHeader(&zip.FileHeader{Name: "index.html", Method: zip.Store})
	return a, err
}

func (a *pageArchive) Read(b []byte) (int, error) {
	for a.ready.Len() == 0 {
		if a.ended {
			return 0, io.EOF
		}
		if err := a.fill(); err != nil {
			return 0, err
		}
	}
	return a.ready.Read(b)
}

func (a *pageArchive) fill() error {
	_, err := io.CopyN(a.entry, a.page, 32<<10)
	switch {
	case err == io.EOF:
		a.ended = true
		return a.zip.Close()
	case err != nil:
		return err
	}
	return a.zip.Flush()
}
