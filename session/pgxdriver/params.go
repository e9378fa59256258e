package pgxdriver

import (
	"fmt"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
)

// params holds the encoded parameters of a whole script, so that nothing is sent of one that has a bad value in it.
// Its memory is used again by the next script.
type params struct {
	buf    []byte
	ends   []int // the end of each parameter in buf, or -1 for NULL
	values [][]byte
}

// keep is the size of a buffer that is not given up after a script.
const keep = 1 << 18

// encode encodes the parameters of all statements.
func (p *params) encode(s *driver.Script) error {
	if cap(p.buf) > keep {
		p.buf = nil
	}
	if p.buf == nil {
		p.buf = make([]byte, 0, 1024) // not nil, or empty text would be NULL
	}
	p.buf, p.ends, p.values = p.buf[:0], p.ends[:0], p.values[:0]
	for i := range s.Statements {
		if err := p.statement(i, &s.Statements[i]); err != nil {
			return err
		}
	}
	start := 0
	for _, end := range p.ends {
		if end < 0 {
			p.values = append(p.values, nil)
			continue
		}
		p.values = append(p.values, p.buf[start:end:end])
		start = end
	}
	return nil
}

// take returns the next n encoded parameters, from position *at.
func (p *params) take(at *int, n int) [][]byte {
	*at += n
	return p.values[*at-n : *at]
}

// statement encodes the parameters of statement i.
func (p *params) statement(i int, s *driver.Statement) error {
	want := s.Rows() * len(s.Types)
	if len(s.Args) != want || s.Lists != nil && (len(s.Lists) != len(s.Types) || s.Batch > 0) {
		return &driver.ScriptError{Statement: i, Row: -1, Err: &fault.Error{
			Kind: fault.Internal, Op: opRun, Err: fmt.Errorf("%s: %d arguments where %d are needed", s.Query, len(s.Args), want),
		}}
	}
	for j := range s.Types {
		if row, err := p.param(s, j); err != nil {
			return &driver.ScriptError{Statement: i, Row: row, Err: &fault.Error{
				Kind: fault.Invalid, Op: opRun, Err: &driver.ParamError{Query: s.Query, Param: j + 1, Type: s.Types[j], Err: err},
			}}
		}
	}
	return nil
}

// param encodes parameter j. An error comes with the row that it is about.
func (p *params) param(s *driver.Statement, j int) (row int, err error) {
	t := s.Types[j]
	switch {
	case s.Batch > 0:
		p.buf, row, err = appendArray(p.buf, t, elements{s.Args[j:], s.Batch, len(s.Types)})
	case s.Lists != nil && s.Lists[j] != nil:
		p.buf, _, err = appendArray(p.buf, t, elements{s.Lists[j], len(s.Lists[j]), 1})
	case s.Args[j].IsNull():
		p.ends = append(p.ends, -1)
		return 0, nil
	default:
		p.buf, err = appendValue(p.buf, t, s.Args[j])
	}
	p.ends = append(p.ends, len(p.buf))
	return row, err
}
