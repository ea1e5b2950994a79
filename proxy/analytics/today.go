package analytics

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"time"

	"berth/sites"
)

// savedPerSecond bounds what keeping the file costs on average: with a great many busy sites it is written less often.
const savedPerSecond = 64 << 10 // bytes

// savedDay begins the file that keeps a day's visitors over a restart; the sites follow.
type savedDay struct {
	Day  int64
	Salt salt
}

// savedSite is the visitors of a site.
type savedSite struct {
	Site                  sites.SiteID
	Hour                  int64
	InHour, OnDay         savedSketch
	ToldInHour, ToldOnDay int64
}

// savedSketch is a sketch; one of the two is empty.
type savedSketch struct {
	Few   []uint64
	Ranks []byte
}

// errTurned says that the day has ended while it was saved.
var errTurned = errors.New("the day has ended")

// save replaces the file as a whole, and returns its size. What a crash leaves half written is removed by the next start.
func (c *Counts) save() (size int64, err error) {
	half, err := os.OpenFile(c.halfFile(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriter(half)
	err = errors.Join(c.encode(out), out.Flush())
	if info, statErr := half.Stat(); statErr == nil {
		size = info.Size()
	}
	if err = errors.Join(err, half.Close()); err == nil {
		err = os.Rename(half.Name(), c.file)
	}
	if err != nil {
		err = errors.Join(err, remove(half.Name()))
	}
	return size, err
}

func (c *Counts) halfFile() string { return c.file + ".new" }

// encode holds up the counting for one site at a time.
func (c *Counts) encode(w io.Writer) error {
	c.mu.Lock()
	head, all := savedDay{c.day, c.salt}, slices.Collect(maps.Keys(c.sites))
	c.mu.Unlock()
	out := gob.NewEncoder(w)
	if err := out.Encode(head); err != nil {
		return err
	}
	for _, site := range all {
		saved, err := c.savedSite(site, head.Day)
		if err == nil && saved.Site != 0 {
			err = out.Encode(saved)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// savedSite is the zero value for a site that nobody has visited on the day.
func (c *Counts) savedSite(site sites.SiteID, day int64) (savedSite, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.day != day {
		return savedSite{}, errTurned
	}
	v := c.sites[site]
	if v == nil || v.day != day {
		return savedSite{}, nil
	}
	return savedSite{site, v.hour, v.inHour.saved(), v.onDay.saved(), v.toldInHour, v.toldOnDay}, nil
}

// load takes up the day from the file, if it is today's; one of another day is removed.
func (c *Counts) load(now time.Time) error {
	if err := remove(c.halfFile()); err != nil {
		return err
	}
	f, err := os.Open(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in := gob.NewDecoder(bufio.NewReader(f))
	var head savedDay
	if err = in.Decode(&head); err == nil && head.Day == dayOf(now) {
		err = c.restore(in, head)
		if err == nil {
			c.taken = head.Day
			return nil
		}
	}
	return errors.Join(err, remove(c.file))
}

// restore takes the sites over, all of them or, with an error, none.
func (c *Counts) restore(in *gob.Decoder, head savedDay) error {
	restored := make(map[sites.SiteID]*visitors)
	for {
		var s savedSite
		err := in.Decode(&s)
		if errors.Is(err, io.EOF) {
			c.day, c.salt, c.sites = head.Day, head.Salt, restored
			return nil
		}
		v := &visitors{hour: s.Hour, day: head.Day, toldInHour: s.ToldInHour, toldOnDay: s.ToldOnDay}
		if err = errors.Join(err, v.inHour.restore(s.InHour), v.onDay.restore(s.OnDay)); err != nil {
			return err
		}
		restored[s.Site] = v
	}
}

func (s *sketch) saved() savedSketch {
	if s.ranks == nil {
		return savedSketch{Few: slices.Clone(s.few)}
	}
	return savedSketch{Ranks: slices.Clone(s.ranks[:])}
}

func (s *sketch) restore(from savedSketch) error {
	if len(from.Ranks) == 0 && len(from.Few) <= exact {
		*s = sketch{few: from.Few}
		return nil
	}
	if len(from.Ranks) != registers || slices.Max(from.Ranks) > 64-precision+1 {
		return fmt.Errorf("a sketch has %d ranks", len(from.Ranks))
	}
	*s = sketch{ranks: (*[registers]uint8)(from.Ranks)}
	for _, rank := range from.Ranks {
		if rank == 0 {
			s.zeroes++
		}
		s.sum += math.Ldexp(1, -int(rank))
	}
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// dayOf counts days of UTC since 1970.
func dayOf(t time.Time) int64 { return t.Unix() / 3600 / 24 }
