// Package v20170312 stands in for a cloud's client library of that name: flanneld names it for a backend that no lab uses, and
// not every Go proxy has it. It has what flanneld needs to compile; every call is refused.
package v20170312

import "errors"

var errUnavailable = errors.New("this flanneld was built without the backend tencent-vpc")

type Client struct{}

type Filter struct {
	Name   *string
	Values []*string
}

type Route struct {
	RouteId              *uint64
	DestinationCidrBlock *string
	GatewayType          *string
	GatewayId            *string
	RouteType            *string
	Enabled              *bool
}

type RouteTable struct {
	RouteTableId *string
	RouteSet     []*Route
}

type DescribeRouteTablesRequest struct {
	Filters []*Filter
}

type RoutesRequest struct {
	RouteTableId *string
	Routes       []*Route
}

type DescribeRouteTablesResponse struct {
	Response struct {
		RouteTableSet []*RouteTable
	}
}

func NewClientWithSecretId(_, _, _ string) (*Client, error) { return nil, errUnavailable }

func NewDescribeRouteTablesRequest() *DescribeRouteTablesRequest {
	return &DescribeRouteTablesRequest{}
}

func NewDeleteRoutesRequest() *RoutesRequest { return &RoutesRequest{} }

func NewCreateRoutesRequest() *RoutesRequest { return &RoutesRequest{} }

func (*Client) DescribeRouteTables(*DescribeRouteTablesRequest) (*DescribeRouteTablesResponse, error) {
	return nil, errUnavailable
}

func (*Client) DeleteRoutes(*RoutesRequest) (any, error) { return nil, errUnavailable }

func (*Client) CreateRoutes(*RoutesRequest) (any, error) { return nil, errUnavailable }
