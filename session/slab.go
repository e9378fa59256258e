package session

// slab hands out values and slices of T from larger pieces, since a session needs many of some types and lets go of all
// of them at once. The first pieces are small: most sessions have few objects.
type slab[T any] struct {
	free []T
	size int
}

// maxPiece bounds a piece, so that one value that is kept keeps little else.
const maxPiece = 512

// one returns a zero T.
func (s *slab[T]) one() *T { return &s.take(1)[0] }

// take returns n zero Ts.
func (s *slab[T]) take(n int) []T {
	if len(s.free) < n {
		s.size = max(min(2*s.size, maxPiece), n)
		s.free = make([]T, s.size)
	}
	taken := s.free[:n:n]
	s.free = s.free[n:]
	return taken
}

// expect has the next n zero Ts come from one piece.
func (s *slab[T]) expect(n int) {
	if len(s.free) < n {
		s.size = max(s.size, n)
		s.free = make([]T, s.size)
	}
}

// pieces hands out values of T that all go at once, so that their memory can be used again.
type pieces[T any] struct {
	pieces [][]T
	full   int // pieces
	used   int // of the one behind them
}

// maxPieces bounds what is kept for use again.
const maxPieces = 8

// one returns a zero T, which is good until the next reset.
func (p *pieces[T]) one() *T {
	if p.full == len(p.pieces) {
		size := 1
		if p.full > 0 {
			size = min(4*len(p.pieces[p.full-1]), maxPiece)
		}
		p.pieces = append(p.pieces, make([]T, size))
	}
	piece := p.pieces[p.full]
	taken := &piece[p.used]
	if p.used++; p.used == len(piece) {
		p.full, p.used = p.full+1, 0
	}
	return taken
}

// reset takes every value back.
func (p *pieces[T]) reset() {
	for _, piece := range p.pieces[:p.full] {
		clear(piece)
	}
	if p.used > 0 {
		clear(p.pieces[p.full][:p.used])
	}
	if len(p.pieces) > maxPieces {
		p.pieces = nil
	}
	p.full, p.used = 0, 0
}
