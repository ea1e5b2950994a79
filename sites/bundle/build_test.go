package bundle

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// raw is a zip written byte by byte, so that it can lie in ways that archive/zip's writer refuses.
type raw struct {
	entries []entry
	zip64   bool
	modest  bool // the plain end record says all beside the Zip64 one
	mangle  func(archive []byte) []byte
	end     func(record []byte) // edits the end record: Zip64's where there is one
}

// entry is one member; zero fields are filled in honestly.
type entry struct {
	name    string
	body    string
	method  uint16
	flags   uint16
	creator uint16 // high byte: system
	attrs   uint32
	size    *uint64 // declared unpacked size
	packed  *uint64 // declared packed size
	crc     *uint32
	at      *uint64 // declared offset of the local header
	disk    uint16
	wide    bool // sizes and offset in a Zip64 extra field
	data    []byte
}

func ptr[T any](v T) *T { return &v }

// stored, deflated and folder are the honest members.
func stored(name, body string) entry   { return entry{name: name, body: body} }
func deflated(name, body string) entry { return entry{name: name, body: body, method: zip.Deflate} }
func folderEntry(name string) entry    { return entry{name: name} }

func (e entry) packedData() []byte {
	switch {
	case e.data != nil:
		return e.data
	case e.method == zip.Deflate:
		return deflate(e.body)
	}
	return []byte(e.body)
}

func deflate(body string) []byte {
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	if _, err := w.Write([]byte(body)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return buf.Bytes()
}

func or[T any](p *T, honest T) T {
	if p != nil {
		return *p
	}
	return honest
}

// bytes lays the archive out: members, table of contents, end.
func (z raw) bytes() []byte {
	var out, table bytes.Buffer
	for _, e := range z.entries {
		at := or(e.at, uint64(out.Len()))
		data := e.packedData()
		crc, size, packed := or(e.crc, crc32.ChecksumIEEE([]byte(e.body))), or(e.size, uint64(len(e.body))), or(e.packed, uint64(len(data)))
		write(&out, "PK\x03\x04", uint16(20), e.flags, e.method, uint32(0), crc, uint32(packed), uint32(size), uint16(len(e.name)), uint16(0), e.name, data)
		var extra []byte
		at32, size32, packed32 := uint32(at), uint32(size), uint32(packed)
		if e.wide {
			extra = binary.LittleEndian.AppendUint16(extra, 1)
			extra = binary.LittleEndian.AppendUint16(extra, 24)
			for _, v := range []uint64{size, packed, at} {
				extra = binary.LittleEndian.AppendUint64(extra, v)
			}
			at32, size32, packed32 = 0xffffffff, 0xffffffff, 0xffffffff
		}
		write(
			&table, "PK\x01\x02", e.creator, uint16(20), e.flags, e.method, uint32(0), crc, packed32, size32,
			uint16(len(e.name)), uint16(len(extra)), uint16(0), e.disk, uint16(0), e.attrs, at32, e.name, extra,
		)
	}
	offset, n := uint64(out.Len()), uint64(len(z.entries))
	out.Write(table.Bytes())
	out.Write(z.endRecords(n, uint64(table.Len()), offset))
	if z.mangle != nil {
		return z.mangle(out.Bytes())
	}
	return out.Bytes()
}

func (z raw) endRecords(n, size, offset uint64) []byte {
	var out, last bytes.Buffer
	if z.zip64 {
		write(&out, "PK\x06\x06", uint64(44), uint16(45), uint16(45), uint32(0), uint32(0), n, n, size, offset)
		if z.end != nil {
			z.end(out.Bytes())
		}
		write(&out, "PK\x06\x07", uint32(0), offset+size, uint32(1))
		if !z.modest {
			n, size, offset = 0xffff, 0xffffffff, 0xffffffff
		}
	}
	write(&last, "PK\x05\x06", uint16(0), uint16(0), uint16(n), uint16(n), uint32(size), uint32(offset), uint16(0))
	if z.end != nil && !z.zip64 {
		z.end(last.Bytes())
	}
	out.Write(last.Bytes())
	return out.Bytes()
}

func write(out *bytes.Buffer, fields ...any) {
	for _, f := range fields {
		switch f := f.(type) {
		case string:
			out.WriteString(f)
		case []byte:
			out.Write(f)
		default:
			if err := binary.Write(out, binary.LittleEndian, f); err != nil {
				panic(err)
			}
		}
	}
}

func zipOf(entries ...entry) []byte { return raw{entries: entries}.bytes() }

// putArchive writes the archive below parent, where it is extracted too.
func putArchive(t testing.TB, parent string, archive []byte) string {
	t.Helper()
	path := filepath.Join(parent, "upload.zip")
	if err := os.WriteFile(path, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// names lists what lies in a directory.
func names(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}
