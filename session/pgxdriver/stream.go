package pgxdriver

import (
	"encoding/binary"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/urutu-go/urutu/session/driver"
)

// A stream is a portal whose rows are asked for in portions. No sync is sent before its end, because that would close
// the portal where no transaction is open. While one portion is taken the next is on its way, so that a stream is at most
// two portions ahead of whoever takes its rows, and that is all that ending it early has to read.

// portion is how many rows of a stream are asked for at once.
const portion = 256

// The messages that do not depend on anything.
var (
	syncMessage = []byte{'S', 0, 0, 0, 4}
	moreMessage = []byte{'E', 0, 0, 0, 9, 0, 0, 0, portion >> 8, portion & 0xff, 'H', 0, 0, 0, 4} // with a flush
)

// inPortions makes the statement that was queued last a stream: the run that ends the burst so far takes one portion, and
// the next is asked for behind it.
func (b *burst) inPortions() {
	st := b.st
	binary.BigEndian.PutUint32(st.out[len(st.out)-4:], portion)
	st.out = append(st.out, moreMessage...)
	st.steps[len(st.steps)-1].streams = true
}

// isStream reports whether the script's last statement is a stream.
func isStream(s *driver.Script) bool {
	n := len(s.Statements)
	return n > 0 && s.Statements[n-1].Stream
}

// rows reads the rows of a stream to their end, or until they are refused or the context is done, and nothing of them is
// on its way any more.
func (b *burst) rows(s step) error {
	ended := false
	for asked := 2; asked > 0; {
		msg, err := b.receive()
		if err != nil {
			b.fail(s, err)
			return err
		}
		switch msg := msg.(type) {
		case *pgproto3.CommandComplete:
			if asked--; !ended && b.err == nil { // the portion behind it is empty
				b.complete(s, msg.CommandTag)
			}
			ended = true
		case *pgproto3.DataRow:
			if b.err == nil {
				b.row(s, msg.Values)
			}
		case *pgproto3.PortalSuspended:
			switch {
			case b.refused != nil || b.err != nil:
				asked--
			case b.done() != nil:
				asked--
				b.err, b.failed = b.done(), s
			default:
				b.write(moreMessage)
			}
		default:
			done, err := b.take(s, msg)
			if err != nil {
				b.fail(s, err)
				return err
			}
			if done { // there is nothing to run in the text
				asked--
			}
		}
	}
	return b.err
}

// endStream sends and reads what comes behind a stream. One that has failed is not followed by a commit.
func (b *burst) endStream() {
	if b.broken {
		return
	}
	from := len(b.st.steps)
	b.st.out = b.st.out[:0]
	b.sync(stepSync)
	if b.err == nil && b.refused == nil && b.script.End != driver.Stay {
		b.ends = b.script.End
		b.end()
	}
	b.write(b.st.out)
	b.read(b.st.steps[from:])
}

// write writes what is small enough that it never waits for the server to be read from.
func (b *burst) write(message []byte) {
	if _, err := b.pc.Conn().Write(message); err != nil {
		b.fail(step{kind: stepRun}, err)
	}
}
