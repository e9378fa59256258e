package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
)

// mStep is one step of a program. What its numbers mean depends on what there is when it is taken, so that any list of
// steps is a program, and stays one where steps are left out.
type mStep struct {
	do      string
	a, b, c int
	body    []mStep // of a savepoint
}

// mProgram is a list of units of work, each up to a step that ends it.
type mProgram []mStep

// GoString keeps what is printed of a program short: its steps are printed as they are taken.
func (p mProgram) GoString() string { return fmt.Sprintf("a program of %d steps", len(p)) }

// mSteps are what steps do, the simplest and the most frequent first.
var mSteps = []string{
	"add", "change", "add", "change", "move", "flush", "delete", "find", "get", "link", "nested", "change", "move", "readd",
	"delete", "swap", "count", "refresh", "nested", "replace", "expunge", "load", "merge", "elsewhere", "new", "nested",
	"rollback", "commit", "disagree", "end", "add", "unlink", "link", "change", "move", "link", "unlink", "end", "many", "populate", "modified", "nested",
}

func mStepOf(depth int) *rapid.Generator[mStep] {
	number := rapid.IntRange(0, 39)
	return rapid.Custom(func(t *rapid.T) mStep {
		st := mStep{do: rapid.SampledFrom(mSteps).Draw(t, "do")}
		st.a, st.b, st.c = number.Draw(t, "a"), number.Draw(t, "b"), number.Draw(t, "c")
		if st.do == "nested" && depth < 3 {
			st.body = rapid.SliceOfN(mStepOf(depth+1), 0, 9).Draw(t, "body")
		}
		return st
	})
}

// mPrograms draws programs.
func mPrograms() *rapid.Generator[mProgram] {
	step := mStepOf(0)
	return rapid.Custom(func(t *rapid.T) (p mProgram) {
		t.Repeat(map[string]func(*rapid.T){"step": func(t *rapid.T) { p = append(p, step.Draw(t, "step")) }})
		return p
	})
}

var errProgram = errors.New("the program's own")

// run runs a program, unit after unit.
func (w *mWorld) run(p mProgram) {
	for len(p) > 0 && w.wrong == "" {
		n := slices.IndexFunc(p, func(st mStep) bool { return st.do == "end" })
		end := mStep{}
		steps := p
		if n >= 0 {
			steps, end = p[:n], p[n]
		}
		w.unit(steps, end)
		p = p[min(len(p), len(steps)+1):]
	}
}

// unit runs steps as a unit of work, and ends it as end says.
func (w *mWorld) unit(steps []mStep, end mStep) {
	var s *mSession
	w.log("Do {")
	w.depth++
	panicked, err := caught(func() error {
		return w.f.Do(context.Background(), func(ctx context.Context) error {
			s = w.begin()
			s.steps(ctx, steps)
			w.f.reset()
			return w.finish(end)
		})
	})
	w.depth--
	if w.wrong != "" {
		return
	}
	w.log("} // %s", mEnds[end.a%len(mEnds)])
	s.end(end, err, panicked)
	for _, o := range w.objs {
		w.compare(o)
		o.mStatus = mStatus{fields: o.table.read(o.ptr), now: o.now, was: map[string]mHeld{}}
		w.isolate(o)
	}
	w.audit("after the unit")
	w.f.clock.advance(1e9)
}

// mEnds are the ends of a unit.
var mEnds = []string{"returned nil", "returned nil", "returned nil", "returned nil", "returned an error", "panicked"}

// finish ends a function as a step says.
func (w *mWorld) finish(end mStep) error {
	switch {
	case w.wrong != "":
		return errProgram
	case end.a%6 == 4:
		return errProgram
	case end.a%6 == 5:
		panic(errProgram)
	}
	return nil
}

// caught calls f and returns what it panics with.
func caught(f func() error) (panicked any, err error) {
	defer func() {
		panicked = recover()
		if panicked != nil && panicked != errProgram { //nolint:errorlint // the very value
			panic(panicked)
		}
	}()
	return nil, f()
}

// end does to the model what the end of a unit does.
func (s *mSession) end(end mStep, err error, panicked any) {
	w := s.w
	switch {
	case end.a%6 == 5:
		w.check(panicked == errProgram, "the panic is lost") //nolint:errorlint // the very value
		s.rollback(0)
		return
	case end.a%6 == 4:
		w.check(errors.Is(err, errProgram), "the unit's error is lost: %v", kindOf(err))
		s.rollback(0)
		return
	case s.failed:
		w.expect("a unit that has failed", err, fault.SessionFailed)
		s.rollback(0)
		return
	}
	was := s.inTx
	refused, n := s.flushed()
	w.expect("the commit", err, refused...)
	if len(refused) > 0 {
		s.rollback(0)
		return
	}
	if n == 0 && was {
		n = 1
	}
	if trips := w.f.trips(); n == 1 && len(trips) == 1 {
		w.check(hasAffix(trips[0], "BEGIN", "COMMIT", !was) || s.fetches, "the commit's script is %q", trips[0])
	}
	s.took("the commit", n, s.fetches)
	s.commit()
}

// steps takes steps until something is wrong, or a rollback has ended the savepoint they are in.
func (s *mSession) steps(ctx context.Context, steps []mStep) {
	for _, st := range steps {
		if s.w.wrong != "" || s.unwound {
			return
		}
		s.w.f.reset()
		if s.failed {
			s.afterFailure(ctx, st)
		} else {
			s.step(ctx, st)
		}
		if s.w.wrong == "" {
			s.verify(ctx)
		}
	}
}

func (s *mSession) step(ctx context.Context, st mStep) {
	do := map[string]func(context.Context, mStep){
		"add": s.addNew, "change": s.change, "swap": s.swap, "move": s.move, "link": s.linkStep, "unlink": s.unlinkStep, "delete": s.remove,
		"readd": s.readd, "replace": s.replace, "expunge": s.expunge, "flush": s.flushStep, "find": s.find, "count": s.find,
		"populate": s.find, "get": s.get, "many": s.getMany, "refresh": s.refresh, "merge": s.merge, "load": s.load,
		"nested": s.nested, "rollback": s.rollbackStep, "commit": s.commitStep, "elsewhere": s.elsewhereStep,
		"new": s.independent, "disagree": s.disagree, "modified": s.modified,
	}
	if f := do[st.do]; f != nil {
		f(ctx, st)
	}
}

// afterFailure: everything is refused, until a rollback.
func (s *mSession) afterFailure(ctx context.Context, st mStep) {
	w := s.w
	if st.a%3 == 0 {
		s.rollbackStep(ctx, st)
		return
	}
	if st.do == "end" || len(w.objs) == 0 {
		return
	}
	o := w.objs[st.b%len(w.objs)]
	verbs := map[string]func() error{
		"Flush":  func() error { return session.Flush(ctx) },
		"Find":   func() error { _, err := o.table.verbs.find(ctx); return err },
		"Commit": func() error { return session.Commit(ctx) },
		"Add":    func() error { return o.table.verbs.add(ctx, o.ptr) },
		"Nested": func() error { return session.Nested(ctx, func(context.Context) error { return nil }) },
	}
	name := []string{"Flush", "Find", "Commit", "Add", "Nested"}[st.c%5]
	w.log("%s // after a failure", name)
	w.expect(name+" after a failure", verbs[name](), fault.SessionFailed)
	s.took(name+" after a failure", 0, false)
}

// flushed does what a flush does to the model, and notes whether a database that cannot return what it generates has to
// be asked for it.
func (s *mSession) flushed() (refused []fault.Kind, exchanges int) {
	s.sync()
	s.fetches = s.w.f.backend.name == "plain" && slices.ContainsFunc(s.writes(), func(w mWrite) bool {
		return w.table == mStickers && w.new != nil
	})
	return s.flush()
}

// took checks the number of exchanges since it was last looked at.
func (s *mSession) took(what string, n int, atLeast bool) {
	got := len(s.w.f.trips())
	defer s.w.f.reset()
	s.w.check(got == n || atLeast && got > n, "%s: %d exchanges, want %d: %q", what, got, n, s.w.verbsOf(s.w.f.trips()))
}

// pick returns one of the objects that ok accepts, the newest for 0.
func (s *mSession) pick(n int, ok func(o *mObject) bool) *mObject {
	var all []*mObject
	for _, o := range slices.Backward(s.w.objs) {
		if ok(o) {
			all = append(all, o)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[n%len(all)]
}

// unused is a key that no row has.
func unused() uuid.UUID { return uuid.New() }
