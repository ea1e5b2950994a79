package sites

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// recordKey is what makes records the same, whatever their TTL.
type recordKey struct{ name, rrtype, data string }

func (r Record) key() recordKey { return recordKey{r.Name, r.Type, r.Data} }

func byKey(records []Record) map[recordKey]*Record {
	index := make(map[recordKey]*Record, len(records))
	for i := range records {
		index[records[i].key()] = &records[i]
	}
	return index
}

// compare returns the difference between a zone's records.
func compare(before, after []Record) Import {
	done := Import{after: after}
	was, is := byKey(before), byKey(after)
	for _, r := range after {
		switch old := was[r.key()]; {
		case old == nil:
			done.Adds = append(done.Adds, r)
		case old.TTL != r.TTL:
			done.Changes = append(done.Changes, RecordChange{*old, r})
		default:
			done.Unchanged++
		}
	}
	for _, r := range before {
		if is[r.key()] == nil {
			done.Removes = append(done.Removes, r)
		}
	}
	done.sort()
	done.Hash = done.hash()
	return done
}

// sort orders what is done as the store lists records, whatever the order of the file.
func (i *Import) sort() {
	slices.SortFunc(i.Adds, Record.compare)
	slices.SortFunc(i.Changes, func(a, b RecordChange) int { return a.After.compare(b.After) })
	slices.SortFunc(i.Removes, Record.compare)
}

// compare orders records by name, read from the root on, then by type and data.
func (r Record) compare(other Record) int {
	a, b := strings.Split(r.Name, "."), strings.Split(other.Name, ".")
	slices.Reverse(a)
	slices.Reverse(b)
	return cmp.Or(slices.Compare(a, b), strings.Compare(r.Type, other.Type), strings.Compare(r.Data, other.Data))
}

// hash is over all that is done, so equal hashes mean the same outcome.
func (i *Import) hash() string {
	sum := sha256.New()
	for _, r := range i.Adds {
		fmt.Fprintf(sum, "+%s %d %s %q\n", r.Name, r.TTL, r.Type, r.Data)
	}
	for _, c := range i.Changes {
		fmt.Fprintf(sum, "=%s %d %d %s %q\n", c.After.Name, c.Before.TTL, c.After.TTL, c.After.Type, c.After.Data)
	}
	for _, r := range i.Removes {
		fmt.Fprintf(sum, "-%s %d %s %q\n", r.Name, r.TTL, r.Type, r.Data)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// write carries the import out in the store.
func (i *Import) write(ctx context.Context, e *edit) error {
	for _, r := range i.Removes {
		if err := e.DeleteRecord(ctx, r.ID); err != nil {
			return err
		}
	}
	for _, c := range i.Changes {
		if err := e.UpdateRecord(ctx, c.After); err != nil {
			return err
		}
	}
	for _, r := range i.Adds {
		if _, err := e.InsertRecord(ctx, r); err != nil {
			return err
		}
	}
	e.known = i.touched()
	return nil
}

// touched are the sets that the import changes, as it leaves them. To read many sets back one by one would cost most of an import.
func (i *Import) touched() []RRSet {
	keys := make(map[setKey]bool)
	for _, r := range slices.Concat(i.Adds, i.Removes) {
		keys[setKey{r.Name, r.Type}] = true
	}
	for _, c := range i.Changes {
		keys[setKey{c.After.Name, c.After.Type}] = true
	}
	sets := slices.DeleteFunc(rrsets(i.after), func(set RRSet) bool { return !keys[setKey{set.Name, set.Type}] })
	for _, set := range sets {
		delete(keys, setKey{set.Name, set.Type})
	}
	for key := range keys {
		sets = append(sets, RRSet{Name: key.name, Type: key.rrtype})
	}
	return sets
}
