// Package testcity invents a city for tests, the demo and the benchmark: the tree of
// unions, their rosters, and what happened to memberships afterwards. Equal seeds and
// options give equal cities, byte for byte. It also recounts the members of a city from the
// very rows that it wrote, in the plainest way there is ([City.Recount]), so that a count of
// the centre has something independent to be compared with.
//
// No person in it exists. Document numbers have valid check digits, since everything else
// would be refused at the door. It imports nothing of agent or server, and none of the code
// that it is there to check.
package testcity
