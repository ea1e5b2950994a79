package proxy

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"berth/sites"
)

// HitSink is told of the requests to sites that have ended.
type HitSink interface {
	// Take is called by one goroutine at a time, with hits in the order of their ends, nearly. The slice is used again once it returns. While
	// it does not return hits wait and then, when there are too many, are dropped; requests never wait.
	Take([]sites.Hit)
}

const (
	hitsPerShard = 2048
	// gather is how long hits are gathered before they are handed over: one wakeup serves many.
	gather = 100 * time.Millisecond
)

// hits carries what requests leave behind to the sink. Each processor seldom meets another at its shard.
type hits struct {
	sink    HitSink
	shards  []hitShard
	arrived chan struct{} // has room for one: there is something in a shard
	filling chan struct{} // likewise: a shard fills up
	dropped atomic.Uint64
}

type hitShard struct {
	mu   sync.Mutex
	hits []sites.Hit
	_    [64]byte // of the processor's cache
}

// newHits returns nil where there is no sink.
func newHits(sink HitSink) *hits {
	if sink == nil {
		return nil
	}
	return &hits{
		sink: sink, shards: make([]hitShard, runtime.GOMAXPROCS(0)),
		arrived: make(chan struct{}, 1), filling: make(chan struct{}, 1),
	}
}

// put never waits for the sink.
func (q *hits) put(hit *sites.Hit) {
	shard := &q.shards[rand.IntN(len(q.shards))]
	shard.mu.Lock()
	n := len(shard.hits)
	if n < hitsPerShard {
		shard.hits = append(shard.hits, *hit)
	}
	shard.mu.Unlock()
	switch n {
	case 0:
		signal(q.arrived)
	case hitsPerShard / 2:
		signal(q.filling)
	case hitsPerShard:
		q.dropped.Add(1)
	}
}

func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// relayHits hands hits to the sink until the returned function is called, which returns when the last have been taken.
func (p *Proxy) relayHits() (end func()) {
	if p.hits == nil {
		return func() {}
	}
	ended := make(chan struct{})
	var relaying sync.WaitGroup
	relaying.Go(func() { p.hits.relay(ended) })
	return func() {
		close(ended)
		relaying.Wait()
	}
}

// relay hands over what is put until ended is closed, and then what is left.
func (q *hits) relay(ended <-chan struct{}) {
	b := batch{spares: make([][]sites.Hit, len(q.shards))}
	timer := time.NewTimer(gather)
	defer timer.Stop()
	for {
		select {
		case <-q.arrived:
		case <-ended:
			b.handOver(q)
			return
		}
		timer.Reset(gather)
		select {
		case <-timer.C:
		case <-q.filling:
		case <-ended:
		}
		b.handOver(q)
	}
}

// batch is what is handed over at once; its memory is used again.
type batch struct {
	hits   []sites.Hit
	spares [][]sites.Hit // to put in the place of each shard's
}

// handOver empties the shards into the sink.
func (b *batch) handOver(q *hits) {
	for i := range q.shards {
		shard := &q.shards[i]
		shard.mu.Lock()
		shard.hits, b.spares[i] = b.spares[i][:0], shard.hits
		shard.mu.Unlock()
	}
	b.merge()
	if len(b.hits) > 0 {
		q.sink.Take(b.hits)
		clear(b.hits) // the text would be kept otherwise
		b.hits = b.hits[:0]
	}
}

// merge puts the shards' hits in the order of their ends; each shard's are in that order, nearly.
func (b *batch) merge() {
	next := make([]int, len(b.spares))
	for {
		first := -1
		for i, shard := range b.spares {
			if next[i] < len(shard) && (first < 0 || shard[next[i]].End().Before(b.spares[first][next[first]].End())) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		b.hits = append(b.hits, b.spares[first][next[first]])
		next[first]++
	}
	for _, shard := range b.spares {
		clear(shard)
	}
}
