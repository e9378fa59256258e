package outbox

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// state is what the outbox knows of one connection's database. It is safe for concurrent use.
type state struct {
	once  sync.Once
	db    *session.DB
	name  session.Name
	ready atomic.Bool // the tables are there

	now      immediate
	delayed  delayed
	tasks    announcement
	acks     acknowledgement
	inbox    inbox
	known    sync.Map // topics of tasks, and of required events, that have a subscription
	unrouted atomic.Int64
	arrivals arrivals

	mu         sync.Mutex // protects engines
	engines    []*Engine  // that run in this process
	wokenLater uow.Hook   // tells the engines of messages that wait for their time
	signals    sync.Map   // *signals by topic: they tell the engines of the topic's messages

	ordered bool   // the database has one writer: nobody is notified
	id      string // says who notifies
	notify  *query
	news    atomic.Bool  // other processes are about to be told
	told    atomic.Int64 // when they were last, in nanoseconds of the process
}

// stateOf returns the state of the connection that ctx chose. Where the database has no tables it is
// fault.Misconfigured.
func stateOf(ctx context.Context, op string) (*state, error) {
	h, err := session.Local[state](ctx)
	if err != nil {
		return nil, err
	}
	if h.ready.Load() {
		return h, nil
	}
	db, name, err := session.Home(ctx)
	if err != nil {
		return nil, err
	}
	d, err := db.Dialect(ctx)
	if err != nil {
		return nil, err
	}
	h.once.Do(func() { h.init(db, name, d) })
	installed, err := db.Installed(ctx, Component())
	if err != nil {
		return nil, err
	}
	if !installed {
		return nil, &fault.Error{
			Kind: fault.Misconfigured, Op: op, Connection: string(name),
			Message: "the connection has no tables for messages: give outbox.Component() to db.Install as the program starts",
		}
	}
	if err := h.checkDurable(ctx, op, d); err != nil {
		return nil, err
	}
	h.ready.Store(true)
	return h, nil
}

// checkDurable refuses a database whose crash can undo commits whose messages have left by then, or says so once.
func (h *state) checkDurable(ctx context.Context, op string, d dialect.Dialect) error {
	text, safe := "SELECT CASE WHEN current_setting('fsync') = 'off' THEN 'off' ELSE reset_val END"+
		" FROM pg_settings WHERE name = 'synchronous_commit'",
		func(v value.Value) bool { return v.Str() != "off" }
	if d.Name() == "sqlite" {
		text, safe = "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous", func(v value.Value) bool { return v.Str() >= "2" }
	}
	setting := value.OfText("on")
	script := &driver.Script{Statements: []driver.Statement{prepare(d, "select synchronous", text, nil, tText).with()}}
	if err := h.db.Ask(ctx, op, script, collect{func(row []value.Value) { setting = row[0] }}); err != nil {
		return err
	}
	switch {
	case safe(setting):
	case h.db.Durable(ctx):
		return &fault.Error{
			Kind: fault.Misconfigured, Op: op, Connection: string(h.name),
			Message: "commits do not wait for the disk (synchronous=" + setting.Str() + "), so that messages could leave for units that a crash" +
				" of the database undoes, which the connection refuses as Durable: change the database's settings",
		}
	default:
		h.db.Logger(ctx).WarnContext(ctx, "commits do not wait for the disk: after a crash of the database, messages may have left for units that are undone",
			"connection", h.name, "synchronous", setting.Str())
	}
	return nil
}

func (h *state) init(db *session.DB, name session.Name, d dialect.Dialect) {
	h.db, h.name, h.id, h.inbox = db, name, uuid.NewString(), newInbox(d)
	h.now.once.Do(func() { h.now.prepare(d) })
	if h.ordered = d.Features().OneWriter; !h.ordered {
		h.notify = prepare(d, "notify", "SELECT count(pg_notify(?1, ?2))", types(tText, tText), tInt)
	}
	h.now.dropped, h.delayed.dropped = h.dropped, h.dropped
	h.wokenLater = func(context.Context) error {
		h.wake(true)
		return nil
	}
}

// dropped counts events that nobody has subscribed to. Whoever had may have ended that since: it is looked up again for
// the next one.
func (h *state) dropped(n int64, topics ...string) {
	h.unrouted.Add(n)
	for _, topic := range topics {
		h.known.Delete(topic)
	}
}

func (h *state) join(e *Engine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.engines = append(h.engines, e)
}

func (h *state) part(e *Engine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.engines = slices.DeleteFunc(h.engines, func(x *Engine) bool { return x == e })
}

func (h *state) knows(topic string) bool {
	_, ok := h.known.Load(topic)
	return ok
}

// announce makes the destination of a task with the unit that publishes it.
func (h *state) announce(ctx context.Context, topic string) error {
	if err := session.StageUnit(ctx, &h.tasks, value.OfText(topic)); err != nil {
		return err
	}
	return uow.AfterCommit(ctx, func(context.Context) error {
		h.known.Store(topic, true)
		return nil
	})
}

// required refuses an event that nobody has subscribed to.
func (h *state) required(ctx context.Context, op string, t message.Type) error {
	if h.knows(t.Topic) {
		return nil
	}
	d, err := h.db.Dialect(ctx)
	if err != nil {
		return err
	}
	q := prepare(d, "select urutu_message_subscription", "SELECT count(*) FROM urutu_message_subscription WHERE topic = ?1", types(tText), tInt)
	n := int64(0)
	script := &driver.Script{Statements: []driver.Statement{q.with(value.OfText(t.Topic))}}
	if err := h.db.Ask(ctx, op, script, collect{func(row []value.Value) { n = row[0].Int() }}); err != nil {
		return err
	}
	if n == 0 {
		return &fault.Error{
			Kind: fault.Misconfigured, Op: op, Connection: string(h.name),
			Message: "nobody has subscribed to the topic " + t.Topic + ", which requires it",
		}
	}
	h.known.Store(t.Topic, true)
	return nil
}
