package chaos

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// Intent is what a unit is about to commit.
type Intent struct {
	Unit     string
	Messages []Sent
}

// Sent is a message that a unit has published.
type Sent struct {
	Event
	// Undone says that it was rolled back with a savepoint, or by hand.
	Undone bool `json:",omitempty"`
	// Later says that it was published with a delay.
	Later bool `json:",omitempty"`
}

// Outcome is how a unit ended, as far as its writer knows.
type Outcome string

// The outcomes. A writer that was killed before it could write one down leaves Unknown.
const (
	Unknown    Outcome = ""
	Committed  Outcome = "committed"
	RolledBack Outcome = "rolled back"
)

// entry is a line of a journal.
type entry struct {
	Intent  *Intent `json:",omitempty"`
	Unit    string  `json:",omitempty"`
	Outcome Outcome `json:",omitempty"`
	Error   string  `json:",omitempty"`
}

// journal is the file of one process. What was written to it survives the process.
type journal struct {
	mu   sync.Mutex
	file *os.File
}

func openJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &journal{file: f}, err
}

func (j *journal) intend(i *Intent) error { return j.write(entry{Intent: i}) }

func (j *journal) end(unit string, o Outcome, err error) error {
	e := entry{Unit: unit, Outcome: o}
	if err != nil {
		e.Error = err.Error()
	}
	return j.write(e)
}

// write adds a line in one call, so that a process dies before or after it.
func (j *journal) write(e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	_, err = j.file.Write(append(line, '\n'))
	return err
}

// Ledger is what the writers have written down.
type Ledger struct {
	Intents  map[string]*Intent
	Outcomes map[string]Outcome
}

// readLedger reads the journals at paths.
func readLedger(paths []string) (*Ledger, error) {
	l := &Ledger{map[string]*Intent{}, map[string]Outcome{}}
	for _, path := range paths {
		if err := readLines(path, func(e entry) {
			if e.Intent != nil {
				l.Intents[e.Intent.Unit] = e.Intent
			} else {
				l.Outcomes[e.Unit] = e.Outcome
			}
		}); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// readLines hands each line of a file to fn.
func readLines[T any](path string, fn func(v T)) error {
	text, err := os.ReadFile(path) //nolint:gosec // the rig's own file
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		fn(v)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
