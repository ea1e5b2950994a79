package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"

	"berth/sites"
)

// remarks is the column of a release's remarks: a JSON array.
type remarks struct{ list *[]sites.Remark }

// remarkJSON is the form of one; the names are part of the schema.
type remarkJSON struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	Sentence string `json:"sentence"`
}

// Value is driver.Valuer's.
func (r remarks) Value() (driver.Value, error) {
	out := make([]remarkJSON, len(*r.list))
	for i, remark := range *r.list {
		out[i] = remarkJSON(remark)
	}
	column, err := json.Marshal(out)
	return string(column), err
}

// Scan is sql.Scanner's.
func (r remarks) Scan(src any) error {
	column, ok := src.(string)
	if !ok {
		return fmt.Errorf("remarks of a release: %T is no text", src)
	}
	*r.list = nil
	if column == "[]" {
		return nil // most releases have none
	}
	var in []remarkJSON
	if err := json.Unmarshal([]byte(column), &in); err != nil {
		return fmt.Errorf("remarks of a release: %w", err)
	}
	for _, remark := range in {
		*r.list = append(*r.list, sites.Remark(remark))
	}
	return nil
}
