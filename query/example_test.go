package query_test

import (
	"fmt"

	"github.com/urutu-go/urutu/query"
)

func ExampleTransform() {
	page := query.Paginated[int]{Items: []int{1, 2, 3}, Total: 7, Page: 0, PageSize: 3}
	squares, err := query.Transform(page, func(i int) (int, error) { return i * i, nil })
	fmt.Println(squares.Items, squares.Total, err)
	// Output: [1 4 9] 7 <nil>
}

func ExamplePageRequest_Normalize() {
	page, err := query.PageRequest{Page: 2}.Normalize()
	fmt.Println(page.Offset(), page.PageSize, err)
	_, err = query.PageRequest{PageSize: 1000}.Normalize()
	fmt.Println(err)
	// Output:
	// 40 20 <nil>
	// query.PageRequest: bad_request: page_size must be from 1 to 200
}
