/**
 * For TLS over loopback: a key that is everybody's, and its own certificate for localhost until 2126.
 * openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost
 *   -addext subjectAltName=DNS:localhost,IP:127.0.0.1
 */
export const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgXw8Bv+L1hshVpyPf
3s5wUVIbXuJnQJSoK0fgJkvxyh+hRANCAAQA9Oa5mUUAmFwfp4k0MgrTyYjWwhnx
bpdQLEzhVxaF4ZHsyiiABxLRALZQyq+lJ7+kSSeXeZnnQQa4nqzb0Jui
-----END PRIVATE KEY-----
`;

export const cert = `-----BEGIN CERTIFICATE-----
MIIBmjCCAUCgAwIBAgITNRqm3WH05rulENs5glyJMqjdozAKBggqhkjOPQQDAjAU
MRIwEAYDVQQDDAlsb2NhbGhvc3QwIBcNMjYxMTI4MTMzODU1WhgPMjEyNjExMDQx
MzM4NTVaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABAD05rmZRQCYXB+niTQyCtPJiNbCGfFul1AsTOFXFoXhkezKKIAHEtEA
tlDKr6Unv6RJJ5d5medBBrierNvQm6KjbzBtMB0GA1UdDgQWBBQ6SJD300wSlhND
IDwhDHUAyHMDfzAfBgNVHSMEGDAWgBQ6SJD300wSlhNDIDwhDHUAyHMDfzAPBgNV
HRMBAf8EBTADAQH/MBoGA1UdEQQTMBGCCWxvY2FsaG9zdIcEfwAAATAKBggqhkjO
PQQDAgNIADBFAiEAkzRtbEMcl52PmXwstCbAsiCpKPEwFQgmCfyWvHv4uPQCIGxv
O0kjpnOsRrFbV/6vM7XuisPc0uFFqiNqFrs8dI9H
-----END CERTIFICATE-----
`;
