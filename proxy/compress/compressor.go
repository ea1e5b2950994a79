package compress

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// encoder is what the three libraries have in common.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// Compressor encodes bodies. How many streams are encoded at a time is bounded, since each takes up to 0.8 MiB; more are sent
// as they are.
type Compressor struct {
	most    int64
	streams atomic.Int64
	pools   [Codings]sync.Pool // of encoder
}

// New returns a Compressor that encodes up to so many streams at a time.
func New(streams int) *Compressor { return &Compressor{most: int64(streams)} }

// window is how far back a stream's encoder looks.
const window = 128 << 10

// take returns nil when there are too many. Those that go on for long leave half of the places to others.
func (z *Compressor) take(c Coding, w io.Writer, long bool) encoder {
	most := z.most
	if long {
		most /= 2
	}
	if z.streams.Add(1) > most {
		z.streams.Add(-1)
		return nil
	}
	e, ok := z.pools[c].Get().(encoder)
	if !ok {
		e = newEncoder(c)
	}
	e.Reset(w)
	return e
}

func (z *Compressor) give(c Coding, e encoder) {
	e.Reset(nil)
	z.pools[c].Put(e)
	z.streams.Add(-1)
}

// newEncoder makes one for streams: fast rather than small. The options are constants that the libraries take.
func newEncoder(c Coding) encoder {
	switch c {
	case Zstd:
		e, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
			zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(window), zstd.WithEncoderCRC(false))
		return e
	case Brotli:
		return brotli.NewWriterOptions(nil, brotli.WriterOptions{Quality: 2, LGWin: 17})
	}
	e, _ := gzip.NewWriterLevel(nil, 1)
	return e
}

// Whole encodes a body that will be sent many times, and returns nil when that makes it hardly smaller.
func (z *Compressor) Whole(c Coding, body []byte) []byte {
	var out bytes.Buffer
	out.Grow(len(body) / 4)
	e := thorough(c, &out, len(body))
	if _, err := e.Write(body); err != nil {
		return nil
	}
	if err := e.Close(); err != nil || out.Len() > len(body)-len(body)/16 {
		return nil
	}
	return bytes.Clone(out.Bytes())
}

// thorough makes an encoder for one body. A large one is not worth as much time: somebody waits for it.
func thorough(c Coding, w io.Writer, size int) io.WriteCloser {
	const large = 512 << 10
	switch c {
	case Zstd:
		e, _ := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1),
			zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(false))
		return e
	case Brotli:
		if size > large {
			return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: 4, LGWin: 20})
		}
		return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: 6, LGWin: 20})
	}
	e, _ := gzip.NewWriterLevel(w, 6)
	return e
}
