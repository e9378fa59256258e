package pgxdriver

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// cacheSize is the number of prepared statements that a connection keeps.
const cacheSize = 512

// entry is one statement of a connection: how its parameters travel, and its name on the server once it is prepared.
type entry struct {
	sql    string
	types  []value.Type
	arrays []bool // which parameters are arrays; nil if none is
	oids   []uint32
	params []int16 // formats of the parameters

	name      string   // on the server; "" if it was never sent, or has none
	described bool     // the server has said what its columns are
	columns   []column // what it said
	results   []int16  // the formats in which the columns are asked for from then on
	sentIn    uint64   // the burst in which it was sent to be prepared

	read         []reader // of the columns, for rows that come as the next two say
	readTypes    []value.Type
	readPrepared bool

	next       *entry // another entry of the same text
	newer, old *entry // neighbors by time of use
}

// column is one of a result.
type column struct {
	name string
	oid  uint32
}

// cache finds entries by their text and types, and forgets the least recently used.
type cache struct {
	entries map[string]*entry
	size    int
	ring    entry    // newer is the least recently used, old the most
	dead    []string // names that the server can forget
	// failures counts how often the server may have kept a name of which the cache does not know, or no longer.
	failures int
}

func newCache() *cache {
	c := &cache{entries: make(map[string]*entry)}
	c.ring.newer, c.ring.old = &c.ring, &c.ring
	return c
}

// find returns the entry of a statement and makes it the most recently used.
func (c *cache) find(s *driver.Statement) *entry {
	for e := c.entries[s.SQL]; e != nil; e = e.next {
		if e.fits(s) {
			c.unlink(e)
			c.link(e)
			return e
		}
	}
	if c.size >= cacheSize {
		c.drop(c.ring.newer)
	}
	e := newEntry(s)
	e.next = c.entries[s.SQL]
	c.entries[s.SQL] = e
	c.size++
	c.link(e)
	return e
}

// fits reports whether the entry's parameters travel as those of s do.
func (e *entry) fits(s *driver.Statement) bool {
	if !slices.Equal(e.types, s.Types) {
		return false
	}
	for j := range s.Types {
		if isArray(s, j) != (e.arrays != nil && e.arrays[j]) {
			return false
		}
	}
	return true
}

func isArray(s *driver.Statement, j int) bool {
	return s.Batch > 0 || s.Lists != nil && s.Lists[j] != nil
}

func newEntry(s *driver.Statement) *entry {
	e := &entry{sql: s.SQL, types: slices.Clone(s.Types)}
	e.oids = make([]uint32, len(s.Types))
	e.params = make([]int16, len(s.Types))
	for j, t := range s.Types {
		w := wireOf(t)
		e.oids[j], e.params[j] = w.oid, w.format
		if isArray(s, j) {
			if e.arrays == nil {
				e.arrays = make([]bool, len(s.Types))
			}
			e.arrays[j], e.oids[j] = true, w.array
		}
	}
	return e
}

// rename gives the entry a name that says what the statement is. A number would mean another statement to another
// client: behind a transaction pooler that nobody has told us of, one client would run what the other has prepared. What
// a failed attempt may have left, or somebody has discarded in part, or is still to be forgotten, is not met again: the
// name is then followed by one.
func (c *cache) rename(e *entry) string {
	if e.name != "" {
		c.failures++
	}
	h := sha256.Sum256(fmt.Append(nil, e.sql, "\x00", e.types, e.arrays))
	e.name = "urutu_" + base64.RawURLEncoding.EncodeToString(h[:12])
	if c.failures > 0 {
		e.name += "_" + strconv.Itoa(c.failures)
	}
	return e.name
}

// describe keeps what the server said of a prepared statement.
func (e *entry) describe(fields []pgproto3.FieldDescription) {
	e.described, e.read = true, nil
	e.columns, e.results = make([]column, len(fields)), make([]int16, len(fields))
	for i, f := range fields {
		e.columns[i] = column{string(f.Name), f.DataTypeOID}
		e.results[i] = formatOf(f.DataTypeOID)
	}
}

// bury notes that the server can forget an entry.
func (c *cache) bury(e *entry) {
	if e.described && e.name != "" {
		c.dead = append(c.dead, e.name)
	}
}

// drop forgets an entry, and has the server forget it with the next burst. Until then the name is taken, and the text may
// come again in this one.
func (c *cache) drop(e *entry) {
	c.bury(e)
	if e.name != "" {
		c.failures++
	}
	c.unlink(e)
	c.size--
	if first := c.entries[e.sql]; first == e {
		if e.next == nil {
			delete(c.entries, e.sql)
		} else {
			c.entries[e.sql] = e.next
		}
		return
	}
	for p := c.entries[e.sql]; p != nil; p = p.next {
		if p.next == e {
			p.next = e.next
			return
		}
	}
}

// reset forgets everything that the server has forgotten already.
func (c *cache) reset() {
	c.failures++
	clear(c.entries)
	c.size, c.dead = 0, c.dead[:0]
	c.ring.newer, c.ring.old = &c.ring, &c.ring
}

// has reports whether the entry is still in the cache.
func (c *cache) has(e *entry) bool { return e.newer != nil }

func (c *cache) link(e *entry) {
	last := c.ring.old
	last.newer, e.old = e, last
	e.newer, c.ring.old = &c.ring, e
}

func (c *cache) unlink(e *entry) {
	e.old.newer, e.newer.old = e.newer, e.old
	e.old, e.newer = nil, nil
}
