package analytics

import (
	"math"
	"math/bits"
	"slices"
)

const (
	precision = 11
	registers = 1 << precision // 2 KiB; the standard error is 1.04/√2048, 2.3 %
	exact     = 32             // so many are counted one by one
)

// sketch counts different hashes, however many, in bounded memory: HyperLogLog (Flajolet and others, 2007). The zero
// sketch is empty.
type sketch struct {
	few    []uint64 // all hashes, as long as they are few
	ranks  *[registers]uint8
	zeroes int     // registers that are 0
	sum    float64 // of 2 to the power of minus each register
}

func (s *sketch) add(hash uint64) {
	if s.ranks != nil {
		s.note(hash)
		return
	}
	if slices.Contains(s.few, hash) {
		return
	}
	if s.few = append(s.few, hash); len(s.few) <= exact {
		return
	}
	s.ranks, s.zeroes, s.sum = new([registers]uint8), registers, registers
	for _, h := range s.few {
		s.note(h)
	}
	s.few = nil
}

func (s *sketch) note(hash uint64) {
	at := hash >> (64 - precision)
	rank := uint8(bits.LeadingZeros64(hash<<precision|1<<(precision-1)) + 1)
	before := s.ranks[at]
	if rank <= before {
		return
	}
	if before == 0 {
		s.zeroes--
	}
	s.ranks[at] = rank
	s.sum += math.Ldexp(1, -int(rank)) - math.Ldexp(1, -int(before))
}

// count is how many different hashes were added, about.
func (s *sketch) count() int64 {
	if s.ranks == nil {
		return int64(len(s.few))
	}
	const m = float64(registers)
	estimate := 0.7213 / (1 + 1.079/m) * m * m / s.sum
	if estimate <= 2.5*m && s.zeroes > 0 {
		estimate = m * math.Log(m/float64(s.zeroes)) // there, counting empty registers is better
	}
	return int64(math.Round(estimate))
}
