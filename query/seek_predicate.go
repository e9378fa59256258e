package query

// crosses reports whether the rows behind the position have the first level partly NULL and partly not. An index has the two
// in different places, and a condition that holds for both would have the database read all that is before them: so each
// half has a statement of its own, the second of which is needed where the first finds too little.
func (s *Seeking) crosses() bool {
	return s.begun && s.levels[0].nullable && s.from.values[0].IsNull() == s.nullsFirst(0)
}

// halves reports whether the page takes two statements. A query that locks has one for both, lest the second one locks what
// is not needed.
func (s *Seeking) halves() bool { return s.crosses() && !s.q.Locks() }

// nullsFirst reports whether NULL comes first at a level, in the direction of reading.
func (s *Seeking) nullsFirst(i int) bool { return s.levels[i].first != s.from.back }

// behind renders the condition for the rows behind the position, in the direction of reading.
func (s *Seeking) behind(r *renderer, beyond bool) error {
	lead, v := &s.levels[0], s.from.values[0]
	switch {
	case beyond && v.IsNull():
		return lead.test(r, " IS NOT NULL")
	case beyond:
		return lead.test(r, " IS NULL")
	case s.uniform():
		return s.tuple(r)
	}
	// Every row behind the position meets a bound at the first level, by which an index finds where to begin; the rest is a
	// filter upon what it finds.
	if !s.crosses() || s.halves() {
		if err := s.bound(r); err != nil {
			return err
		}
		r.write(" AND ")
	}
	return s.chain(r, 0)
}

// uniform reports whether all levels go one way and none can be NULL, so that positions compare as rows do.
func (s *Seeking) uniform() bool {
	for _, l := range s.levels {
		if l.nullable || l.desc != s.levels[0].desc {
			return false
		}
	}
	return true
}

// tuple renders "(a, b) > (x, y)".
func (s *Seeking) tuple(r *renderer) error {
	if len(s.levels) == 1 {
		return s.levels[0].compare(r, s.operator(0, s.from.with), s.from.values[0])
	}
	for i := range s.levels {
		r.write([...]string{"(", ", "}[min(i, 1)])
		if err := s.levels[i].node.render(r); err != nil {
			return err
		}
	}
	r.write(")", s.operator(0, s.from.with))
	for i := range s.levels {
		r.write([...]string{"(", ", "}[min(i, 1)])
		s.levels[i].operand(r, s.from.values[i])
	}
	r.write(")")
	return nil
}

// operator returns what compares values behind the position at a level with it.
func (s *Seeking) operator(i int, with bool) string {
	switch down := s.levels[i].desc != s.from.back; {
	case down && with:
		return " <= "
	case down:
		return " < "
	case with:
		return " >= "
	default:
		return " > "
	}
}

// bound renders what the first level of every row behind the position is, of those on the same side of where NULL begins.
func (s *Seeking) bound(r *renderer) error {
	if v := s.from.values[0]; !v.IsNull() {
		return s.levels[0].compare(r, s.operator(0, true), v)
	}
	return s.levels[0].test(r, " IS NULL")
}

// chain renders the condition for what comes behind the position at the level i, or is the same there and comes behind it
// at those that follow.
func (s *Seeking) chain(r *renderer, i int) error {
	r.write("(")
	defer r.write(")")
	some, err := s.strictly(r, i)
	if err != nil {
		return err
	}
	last := i == len(s.levels)-1
	if last && !s.from.with {
		if !some {
			r.write("1 = 0")
		}
		return nil
	}
	if some {
		r.write(" OR ")
	}
	if v := s.from.values[i]; v.IsNull() {
		err = s.levels[i].test(r, " IS NULL")
	} else {
		err = s.levels[i].compare(r, " = ", v)
	}
	if err != nil || last {
		return err
	}
	r.write(" AND ")
	return s.chain(r, i+1)
}

// strictly renders the condition for what comes behind the position at the level, and reports false where that is nothing.
// Of the first level the other side of where NULL begins has a statement of its own.
func (s *Seeking) strictly(r *renderer, i int) (bool, error) {
	l, v := &s.levels[i], s.from.values[i]
	apart := i == 0 && s.halves()
	switch {
	case v.IsNull() && (apart || !s.nullsFirst(i)):
		return false, nil
	case v.IsNull():
		return true, l.test(r, " IS NOT NULL")
	}
	if err := l.compare(r, s.operator(i, false), v); err != nil {
		return true, err
	}
	if !l.nullable || apart || s.nullsFirst(i) {
		return true, nil
	}
	r.write(" OR ")
	return true, l.test(r, " IS NULL")
}
