package scope_test

import (
	"context"
	"testing"

	"github.com/urutu-go/urutu/internal/scope"
)

func TestScopeTravelsInTheContextAndIsNotShared(t *testing.T) {
	t.Parallel()
	if s := scope.From(t.Context()); *s != (scope.Scope{}) {
		t.Errorf("a context without a scope has %+v", *s)
	}
	outer := scope.Into(t.Context(), scope.Scope{Connection: "a"})
	changed := *scope.From(outer)
	changed.Connection = "b"
	inner := scope.Into(outer, changed)
	if scope.From(outer).Connection != "a" || scope.From(inner).Connection != "b" {
		t.Error("a derived scope changed the one it came from")
	}
	if scope.From(context.WithoutCancel(inner)).Connection != "b" {
		t.Error("a derived context lost the scope")
	}
}
