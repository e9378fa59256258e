package outbox

// countsLate returns what checks, once the lane has taken a look, that those count as late that a sweep has brought and no
// look before: all of them that have no key, and no other message.
func (w *world) countsLate(k *look) (check func()) {
	least, most := w.lane.dest.counts.Late, w.lane.dest.counts.Late
	for _, d := range k.swept {
		if w.met[d.id] {
			continue
		}
		if most++; d.Key == "" {
			least++
		}
	}
	return func() {
		if n := w.lane.dest.counts.Late; n < least || n > most {
			w.t.Fatalf("%d messages count as late, and between %d and %d are", n, least, most)
		}
		w.meet(k)
	}
}

// meet notes what a look has brought: what comes after a sweep that stopped is not looked at.
func (w *world) meet(k *look) {
	meet := func(list []*Delivery, last int64) {
		for _, d := range list {
			if d.id <= last {
				w.met[d.id] = true
			}
		}
	}
	last, _ := k.reached()
	meet(w.again, w.lastID)
	meet(k.swept, last)
	meet(k.fetched, last)
	for _, s := range k.scans {
		meet(s.found, last)
	}
}
