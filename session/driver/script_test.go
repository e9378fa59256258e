package driver_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

func TestScriptErrorKeepsItsCause(t *testing.T) {
	t.Parallel()
	cause := fault.Wrap(fault.Invalid, "test", &driver.ParamError{Query: "insert users", Param: 2, Type: value.TypeText, Err: errors.New("a NUL")})
	for at, want := range map[int]string{
		driver.AtBegin: "begin: test: invalid: insert users: parameter 2 of type text: a NUL",
		driver.AtEnd:   "end of transaction: test: invalid: insert users: parameter 2 of type text: a NUL",
		3:              "test: invalid: insert users: parameter 2 of type text: a NUL",
	} {
		err := error(&driver.ScriptError{Statement: at, Row: -1, Err: cause})
		var param *driver.ParamError
		if err.Error() != want || !errors.Is(err, fault.Invalid) || !errors.As(err, &param) || param.Param != 2 {
			t.Errorf("%d: %v", at, err)
		}
	}
}

func TestStatementRows(t *testing.T) {
	t.Parallel()
	if n := (&driver.Statement{}).Rows(); n != 1 {
		t.Errorf("one row of arguments is %d", n)
	}
	if n := (&driver.Statement{Batch: 3}).Rows(); n != 3 {
		t.Errorf("three are %d", n)
	}
}

func ExampleEnd_String() {
	fmt.Println(driver.Stay, driver.Commit, driver.Rollback)
	// Output: stay commit rollback
}
