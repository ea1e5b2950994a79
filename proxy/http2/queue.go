package http2

import "slices"

// queue is data in the order in which it came. It holds memory for what is in it, and a part or two more at most.
type queue struct {
	parts []*part
	first int // byte of the first part that was not taken
	last  int // bytes of the last part that are filled
}

type part [frameSize]byte

func (p *pools) part() *part {
	if part, ok := p.parts.Get().(*part); ok {
		return part
	}
	return new(part)
}

func (q *queue) empty() bool { return len(q.parts) == 0 }

func (q *queue) put(data []byte, from *pools) {
	for len(data) > 0 {
		if q.empty() || q.last == frameSize {
			q.parts, q.last = append(q.parts, from.part()), 0
		}
		n := copy(q.parts[len(q.parts)-1][q.last:], data)
		q.last += n
		data = data[n:]
	}
}

// take fills p as far as there is data.
func (q *queue) take(p []byte, to *pools) (n int) {
	for n < len(p) && !q.empty() {
		taken := copy(p[n:], q.parts[0][q.first:q.end()])
		n += taken
		if q.first += taken; q.first == q.end() {
			q.drop(to)
		}
	}
	return n
}

// end is where what is in the first part ends.
func (q *queue) end() int {
	if len(q.parts) == 1 {
		return q.last
	}
	return frameSize
}

// drop gives the first part up, and returns how much was still in it.
func (q *queue) drop(to *pools) int {
	left := q.end() - q.first
	to.parts.Put(q.parts[0])
	q.parts, q.first = slices.Delete(q.parts, 0, 1), 0
	return left
}
