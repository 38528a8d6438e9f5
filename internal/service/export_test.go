package service

// CheckRedirect is for tests of what needs certificates to be seen from outside.
var CheckRedirect = checkRedirect
