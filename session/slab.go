package session

import "unsafe"

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

// pieces is a slab that takes everything back at once, so that its memory can be used again.
type pieces[T any] struct {
	pieces [][]T
	next   int // the piece behind the one in use
	free   []T // of the one in use
}

const (
	firstPiece = 4
	pieceBytes = 32 << 10 // of a large one
	maxPieces  = 10       // are kept for use again
)

// one returns a zero T, which is good until the next reset.
func (p *pieces[T]) one() *T { return &p.take(1)[0] }

// take returns n zero Ts, which are good until the next reset.
func (p *pieces[T]) take(n int) []T {
	for len(p.free) < n {
		p.free = p.piece(n)
	}
	taken := p.free[:n:n]
	p.free = p.free[n:]
	return taken
}

// piece returns the next piece, which is made for n at least where there is none.
func (p *pieces[T]) piece(n int) []T {
	if p.next == len(p.pieces) {
		size := firstPiece
		if p.next > 0 {
			size = min(2*len(p.pieces[p.next-1]), pieceBytes/int(unsafe.Sizeof(*new(T))))
		}
		p.pieces = append(p.pieces, make([]T, max(size, n)))
	}
	p.next++
	return p.pieces[p.next-1]
}

// reset takes every value back.
func (p *pieces[T]) reset() {
	for i, piece := range p.pieces[:p.next] {
		if i == p.next-1 {
			piece = piece[:len(piece)-len(p.free)]
		}
		clear(piece)
	}
	if len(p.pieces) > maxPieces {
		clear(p.pieces[maxPieces:])
		p.pieces = p.pieces[:maxPieces]
	}
	p.next, p.free = 0, nil
}
