package sites

import (
	"slices"
	"testing"
)

func TestASitesEventsBeginWhereItWasMade(t *testing.T) {
	got := sinceCreation([]Event{ // all of one moment
		{ID: 6, Action: "release.upload"},
		{ID: 5, Action: "account.login"}, // of an account of the same name
		{ID: 4, Action: "record.add"},
		{ID: 3, Action: "site.create"},
		{ID: 2, Action: "site.delete"}, // of an earlier site of the name
		{ID: 1, Action: "site.create"},
	})
	var ids []int64
	for _, e := range got {
		ids = append(ids, e.ID)
	}
	if !slices.Equal(ids, []int64{6, 4, 3}) {
		t.Errorf("events %v", ids)
	}
}
