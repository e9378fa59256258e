package query

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/urutu-go/urutu/value"
)

// Varying is p, as far as it concerns which rows are found; for cursors its operands do not count, so that one which was
// made under other operands is still good. It is for conditions that change by themselves, as the time that it is does:
//
//	query.Varying(query.Gt(&offers.EndsAt, time.Now()))
func Varying(p Predicate) Predicate {
	return Predicate{op: opNode, n: &varying{p}, wide: p.wide}
}

type varying struct{ p Predicate }

func (v *varying) several() bool    { return v.p.wide }
func (v *varying) aggregates() bool { return false }

func (v *varying) render(r *renderer) error {
	from := len(r.args)
	err := r.predicate(&v.p)
	for ; from < len(r.args); from++ {
		if r.varies == nil {
			r.varies = map[int]bool{}
		}
		r.varies[from] = true
	}
	return err
}

// fingerprint is what a query says, to be hashed.
type fingerprint []byte

func newPrint() fingerprint { return make(fingerprint, 0, 512) }

func (p *fingerprint) text(s string) {
	p.number(len(s))
	*p = append(*p, s...)
}

func (p *fingerprint) number(n int) { *p = binary.AppendVarint(*p, int64(n)) }

func (p *fingerprint) flag(set bool) {
	if set {
		p.number(1)
	} else {
		p.number(0)
	}
}

func (p *fingerprint) value(v *value.Value) {
	var scratch [64]byte
	b := appendValue(scratch[:0], v)
	p.number(len(b))
	*p = append(*p, b...)
}

// rendered adds what was rendered: its text, and the arguments that do not vary.
func (p *fingerprint) rendered(r *renderer) {
	p.text(r.b.String())
	for i := range r.args {
		if r.varies[i] {
			continue
		}
		p.value(&r.args[i])
		if i >= len(r.lists) {
			continue
		}
		p.number(len(r.lists[i]))
		for j := range r.lists[i] {
			p.value(&r.lists[i][j])
		}
	}
}

// sum is the hash.
func (p fingerprint) sum() uint64 {
	hash := sha256.Sum256(p)
	return binary.BigEndian.Uint64(hash[:])
}

// filterPrint returns the print of the predicates, where nothing else is rendered yet.
func (r *renderer) filterPrint() uint64 {
	p := newPrint()
	p.rendered(r)
	return p.sum()
}

// orderPrint returns the print of an entity's order.
func (r *renderer) orderPrint(q *Select, levels []level) (uint64, error) {
	p := newPrint()
	p.text(q.m.Name)
	p.text(q.m.Table)
	for i := range levels {
		l := &levels[i]
		p.text(l.typ.String())
		for _, flag := range [...]bool{l.desc, l.first, l.nullable} {
			p.flag(flag)
		}
		// By itself, so that the numbers of its parameters do not depend on what stands before it.
		apart := &renderer{d: r.d, m: r.m, scope: r.scope}
		if err := l.node.render(apart); err != nil {
			return 0, err
		}
		p.rendered(apart)
	}
	return p.sum(), nil
}
