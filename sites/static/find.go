package static

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

const (
	indexPage = "index.html"
	pageExt   = ".html"
)

// page is an open regular file of the release.
type page struct {
	*os.File
	info fs.FileInfo
	name string // below the root
}

// found is what a path means: a page, or that another path should be asked for.
type found struct {
	page     page
	redirect string
}

// find looks up an absolute path. /a is the file a, else leads to /a/ where there is a/index.html, else is a.html.
// /a/ is a/index.html, else leads to /a where there is a.html.
func (h *Handler) find(path string) (found, error) {
	if strings.HasSuffix(path, "/") {
		return h.findFolder(path)
	}
	name := path[1:]
	p, err := h.open(name)
	switch {
	case err == nil:
		return found{page: p}, nil
	case errors.Is(err, errFolder) && h.has(name+"/"+indexPage):
		return found{redirect: path + "/"}, nil
	case !isMissing(err):
		return found{}, err
	}
	p, err = h.open(name + pageExt)
	return found{page: p}, err
}

func (h *Handler) findFolder(path string) (found, error) {
	p, err := h.open(path[1:] + indexPage)
	if err == nil || !isMissing(err) {
		return found{page: p}, err
	}
	if bare := strings.TrimSuffix(path, "/"); bare != "" && h.has(bare[1:]+pageExt) {
		return found{redirect: bare}, nil
	}
	return found{}, err
}

// errFolder is what open returns for a folder. It counts as missing.
var errFolder = errors.New("is a folder")

// open opens a regular file. Whoever gets a page closes it.
func (h *Handler) open(name string) (page, error) {
	if isRules(name) {
		return page{}, fs.ErrNotExist
	}
	// Not to wait for a writer, should it be a named pipe.
	f, err := h.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return page{}, err
	}
	info, err := f.Stat()
	switch {
	case err == nil && info.Mode().IsRegular():
		return page{File: f, info: info, name: name}, nil
	case err == nil && info.IsDir():
		err = errFolder
	case err == nil:
		err = fs.ErrNotExist
	}
	_ = f.Close()
	return page{}, err
}

func (h *Handler) has(name string) bool {
	info, err := h.root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// isMissing reports whether an error of open means that the release has no such file, in contrast to a file that
// cannot be read now.
func isMissing(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return !errors.Is(err, fs.ErrClosed) // folders, and what os.Root refuses, such as a link that leads out
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.EINVAL, syscall.ENAMETOOLONG, syscall.ELOOP, syscall.ENXIO:
		return true
	}
	return false
}
