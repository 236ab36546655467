package syncproto

// Codes of identity and enrolment (4xx).
const (
	CodeEnrolLength     Code = 400 // an enrolment code has too few or too many characters
	CodeEnrolCharacter  Code = 401 // an enrolment code holds a character that no code has
	CodeEnrolChecksum   Code = 402 // an enrolment code was mistyped
	CodeEnrolUnknown    Code = 403 // the centre does not know this enrolment code
	CodeEnrolExpired    Code = 404 // the enrolment code is past its day
	CodeEnrolUsed       Code = 405 // the enrolment code has been used
	CodeEnrolAttempts   Code = 406 // too many wrong codes from this address
	CodeEnrolVoid       Code = 407 // the enrolment code was opened before the centre was restored
	CodeWrongCentre     Code = 410 // the other end does not belong to this city
	CodeCertificate     Code = 411 // a certificate is malformed or names nobody
	CodeWrongRole       Code = 412 // a certificate is of a role that may not do this
	CodeNoCertificate   Code = 417 // the call needs a certificate and came without one
	CodeCertRefused     Code = 418 // the other end refused the certificate shown
	CodeClusterKeyFile  Code = 420 // the file with the cluster key cannot be read
	CodeClusterKeyForm  Code = 421 // the file with the cluster key is not in its form
	CodeClusterKeyCity  Code = 422 // the cluster key is another city's
	CodeClusterKeyWrong Code = 423 // the cluster key does not open the city's secrets
	CodeClusterKeyOpen  Code = 424 // others on this machine can read the cluster key
	CodeJoinProof       Code = 425 // a node that wants to join does not know the cluster key
	CodeTrustFile       Code = 426 // a file of the node's identity is missing or damaged
	CodeTrustExists     Code = 427 // the node has an identity already
	CodeDeviceNotFound  Code = 430 // no enrolled device has this id: device
	CodeDeviceUnclear   Code = 431 // several devices' ids begin with this: device, n
	CodeUnconfirmed     Code = 432 // a command that cannot be undone was not confirmed with --yes
)
