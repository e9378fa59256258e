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
