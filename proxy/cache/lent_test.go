package cache

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// slow is a client that takes nothing until it may.
type slow struct {
	nobody
	began func()
	may   <-chan struct{}
	got   int
}

func (s *slow) Write(p []byte) (int, error) {
	s.began()
	<-s.may
	s.got += len(p)
	return len(p), nil
}

// Clients that do not read what they ask for must not keep more in memory than the cache may take, whatever has gone from it.
func TestUnreadBodiesAreBounded(t *testing.T) {
	const most, size, bodies = 4 << 20, 256 << 10, 40
	text := strings.Repeat("x", size)
	c := New(most, slog.New(slog.DiscardHandler))
	t.Cleanup(c.Close)
	s := new(Space)
	origin := func(w http.ResponseWriter, _ *http.Request) {
		put(w.Header(), []string{"Cache-Control: max-age=60", fmt.Sprint("Content-Length: ", size)})
		_, _ = w.Write([]byte(text)) // the recorder takes all
	}
	var sending sync.WaitGroup
	var held, got atomic.Int64
	may := make(chan struct{})
	for i := range bodies {
		target := fmt.Sprint("http://a.test/", i)
		c.Fetch(nobody{make(http.Header)}, httptest.NewRequest(http.MethodGet, target, nil), s, origin)
		decided := make(chan struct{})
		sending.Go(func() {
			client := &slow{nobody{make(http.Header)}, func() { held.Add(size); close(decided) }, may, 0}
			if !c.Hit(client, httptest.NewRequest(http.MethodGet, target, nil), s) {
				close(decided)
			}
			got.Add(int64(client.got))
		})
		<-decided
	}
	if held := held.Load(); held < most/2 || held > most {
		t.Errorf("%d bytes are held for clients that do not read", held)
	}
	close(may)
	sending.Wait()
	if got.Load() != held.Load() || c.lent.bytes.Load() != 0 {
		t.Errorf("%d bytes were sent, %d are still counted", got.Load(), c.lent.bytes.Load())
	}
}
