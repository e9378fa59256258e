package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// batchLimit is how many messages a broker is handed at once.
const batchLimit = 500

// relay hands the ready messages of a destination to its broker, batch after batch. Those that arrived are deleted while
// the next batch is under way.
func (e *Engine) relay(d *destination) {
	arrived := make(chan []*Delivery, 8)
	var deleting sync.WaitGroup
	deleting.Go(func() {
		for list := range arrived {
			e.arrived(d, more(list, arrived))
		}
	})
	for batch := e.batch(d); batch != nil; batch = e.batch(d) {
		w := e.watch(WorkSend, d)
		results := e.send(d, batch)
		w.over()
		list := e.sent(w, batch, results)
		w.tell()
		if len(list) > 0 {
			arrived <- list
		}
	}
	close(arrived)
	deleting.Wait()
}

// more returns list with what else has arrived by now.
func more(list []*Delivery, arrived <-chan []*Delivery) []*Delivery {
	for len(list) < 4*batchLimit {
		select {
		case next, ok := <-arrived:
			if !ok {
				return list
			}
			list = append(list, next...)
		default:
			return list
		}
	}
	return list
}

// sent returns the messages that have arrived, and settles the others. What the broker has not answered for goes back as it
// was, with what is behind it of its key.
func (e *Engine) sent(w *watch, batch []*Delivery, results []error) (arrived []*Delivery) {
	first := map[string]error{} // by key: why its first message that has not arrived has not
	var back []*Delivery
	var reason error
	for i, m := range batch {
		err := results[i]
		if err == nil {
			arrived = append(arrived, m)
			w.add(m, Done, nil)
			continue
		}
		why := first[m.Key]
		if m.Key == "" || why == nil {
			first[m.Key], why = err, err
		} else {
			err = errBehind
		}
		if e.ctx.Err() == nil && !gone(why) && outage(why) {
			back, reason = append(back, m), why
			w.add(m, PutBack, err)
		} else {
			w.add(m, e.settle(m, err), err)
		}
	}
	if len(back) > 0 {
		e.putBack(reason, back...)
	}
	return arrived
}

// errBehind says that nobody has looked at a message, since one before it failed.
var errBehind = errors.New("an earlier message of its key failed")

// batch waits for messages that are ready; nil where the engine takes no more.
func (e *Engine) batch(d *destination) []*Delivery {
	first := e.next(d)
	if first == nil {
		return nil
	}
	e.finished(d, first) // the one sender has as many as it likes
	batch := []*Delivery{first}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for len(d.ready) > 0 && len(batch) < batchLimit {
		m := d.ready[0]
		d.ready = d.ready[1:]
		if !m.lane.safe(now) {
			m.lane.drop(m)
			continue
		}
		m.started = true
		batch = append(batch, m)
	}
	return batch
}

// send returns one result for each message, whatever the consumer does.
func (e *Engine) send(d *destination, batch []*Delivery) (results []error) {
	defer func() {
		var err error
		if p := recover(); p != nil {
			err = &Failure{Reason: Panicked, Err: fmt.Errorf("panic: %v", p)}
			results = nil
		} else if results == nil {
			results = make([]error, len(batch))
		} else if len(results) < len(batch) {
			err = &Failure{Reason: Failed, Err: fmt.Errorf("Send returned %d results for %d messages", len(results), len(batch))}
		}
		for len(results) < len(batch) {
			results = append(results, err)
		}
	}()
	return d.Send(e.ctx, batch)
}

// delete adds the deletion of messages, and of what was noted of them: also of what this process does not know of, since another
// one, which has taken a lane, may have failed with them.
func (e *Engine) delete(x *exchange, d *destination, list []*Delivery) {
	dest := value.OfInt(int64(d.id))
	if e.sql.arrays {
		lanes, ids := make([]value.Value, len(list)), make([]value.Value, len(list))
		list = slices.SortedFunc(slices.Values(list), func(a, b *Delivery) int { // as others lock what was noted of them
			return cmp.Or(cmp.Compare(a.lane.number, b.lane.number), cmp.Compare(a.id, b.id))
		})
		for i, m := range list {
			lanes[i], ids[i] = value.OfInt(int64(m.lane.number)), value.OfInt(m.id)
		}
		st := e.sql.delete.lists([][]value.Value{nil, lanes, ids}, dest, value.Value{}, value.Value{})
		x.add(st, nil)
		x.add(e.sql.grasp.lists(st.Lists, st.Args...), nil)
		x.add(e.sql.forget.lists(st.Lists, st.Args...), nil)
		return
	}
	byLane := map[*lane][]int64{}
	for _, m := range list {
		byLane[m.lane] = append(byLane[m.lane], m.id)
	}
	for l, ids := range byLane {
		st := e.sql.delete.lists([][]value.Value{nil, nil, ofInts(ids)}, dest, value.OfInt(int64(l.number)), value.Value{})
		x.add(st, nil)
		x.add(e.sql.forget.lists(st.Lists, st.Args...), nil)
	}
}

// arrived deletes what a broker has taken. What cannot be deleted is sent again.
func (e *Engine) arrived(d *destination, list []*Delivery) {
	if len(list) == 0 {
		return
	}
	w := e.watch(WorkDelete, d)
	x := &exchange{}
	x.Begin, x.End = &driver.TxOptions{}, driver.Commit
	x.planned(e.sql.planning)
	e.delete(x, d, list)
	err := colliding(func() error { return e.db.Run(e.ctx, "outbox.Delete", driver.Write, &x.Script, x) })
	w.over()
	if err != nil && e.ctx.Err() == nil { // it is no failure of the messages, which have arrived
		e.putBack(err, list...)
		for _, m := range list {
			w.add(m, PutBack, err)
		}
	} else {
		for _, m := range list {
			w.add(m, e.settle(m, err), err)
		}
	}
	w.tell()
}
