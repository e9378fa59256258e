package dialect

// Plain returns SQLite's dialect with less: no RETURNING, and the driver reports generated keys instead. It stands for
// databases that have no more than that, and keeps the seam honest about them.
func Plain() Dialect { return plain{} }

type plain struct{ sqlite }

var _ Dialect = plain{}

// Name returns "plain".
func (plain) Name() string { return "plain" }

// Features returns what is left.
func (plain) Features() Features {
	return Features{LastID: true, DeferrableConstraints: true, OneWriter: true}
}

// Insert renders the insertion of one row and leaves Returning out.
func (d plain) Insert(s Insert) string {
	s.Returning = nil
	return d.sqlite.Insert(s)
}

// Update renders the update of one row and leaves Returning out.
func (d plain) Update(s Update) string {
	s.Returning = nil
	return d.sqlite.Update(s)
}
