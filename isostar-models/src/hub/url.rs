//! The operations on URLs that redirects and the handling of the token require.

use ureq::http::Uri;

/// Percent-encodes all characters except the unreserved ones. The slash is encoded too.
pub(super) fn encode(text: &str) -> String {
    text.bytes()
        .map(
            |byte| match byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            },
        )
        .collect()
}

/// Scheme, host and port of a URL; `None` if it is not a valid HTTP or HTTPS URL.
pub(super) fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host = uri
        .host()
        .filter(|host| !host.is_empty())?
        .to_ascii_lowercase();
    Some((scheme, host, uri.port_u16().unwrap_or(usual)))
}

/// Whether the URL refers to this machine, for which no proxy is used.
pub(super) fn is_loopback(url: &str) -> bool {
    let Some((_, host, _)) = origin(url) else {
        return false;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether the target of a redirect names a server, as opposed to a path on the same server.
pub(super) fn is_absolute(location: &str) -> bool {
    location.starts_with("//") || origin(location).is_some()
}

/// The URL that a redirect from `base` to `location` refers to.
pub(super) fn join(base: &str, location: &str) -> String {
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let path = without_query(&rest[host.len()..]);
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    match location {
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if origin(location).is_some() => location.to_string(),
        _ if location.starts_with('/') => format!("{scheme}://{host}{location}"),
        _ => format!("{scheme}://{host}{folder}/{location}"),
    }
}

/// The URL for a message, without its query, which may contain a signature, and without a password.
pub(super) fn shown(url: &str) -> String {
    let host = &url[url.find("://").map_or(0, |scheme| scheme + 3)..];
    format!(
        "{}{}",
        server(url),
        without_query(&host[host.find(['/', '?', '#']).unwrap_or(host.len())..])
    )
}

/// Scheme, host and port of a URL, for a message.
pub(super) fn server(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    format!(
        "{scheme}://{}",
        authority.rsplit('@').next().unwrap_or_default()
    )
}

fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_redirect_is_resolved_against_the_url_of_the_response() {
        let base = "https://hub.co/org/name/resolve/main/config.json?download=true";
        assert_eq!(join(base, "/other/path"), "https://hub.co/other/path");
        assert_eq!(
            join(base, "model.json?x=/y"),
            "https://hub.co/org/name/resolve/main/model.json?x=/y"
        );
        assert_eq!(
            join(base, "http://cdn.co:8080/a?b"),
            "http://cdn.co:8080/a?b"
        );
        assert_eq!(join(base, "//cdn.co/a"), "https://cdn.co/a");
        assert_eq!(join("http://hub.co", "/a"), "http://hub.co/a");
    }

    #[test]
    fn the_default_port_is_the_same_origin_and_another_port_is_not() {
        assert_eq!(origin("https://Hub.co/a"), origin("https://hub.co:443/b?c"));
        assert_ne!(origin("https://hub.co/"), origin("http://hub.co/"));
        assert_ne!(origin("https://hub.co/"), origin("https://hub.co:8443/"));
        assert_ne!(
            origin("https://hub.co/"),
            origin("https://hub.co.evil.com/")
        );
        assert_ne!(
            origin("https://hub.co/"),
            origin("https://hub.co@evil.com/")
        );
        assert_eq!(origin("ftp://hub.co/"), None);
        assert_eq!(origin("hub.co"), None);
    }

    #[test]
    fn loopback_addresses_are_recognised() {
        assert!(
            [
                "http://127.0.0.1:80/a",
                "http://[::1]:9/",
                "http://localhost/",
                "https://127.3.2.1/"
            ]
            .into_iter()
            .all(is_loopback)
        );
        assert!(
            ![
                "http://128.0.0.1/",
                "http://localhost.co/",
                "http://127.0.0.1.co/"
            ]
            .into_iter()
            .any(is_loopback)
        );
    }

    #[test]
    fn a_revision_is_encoded_as_one_path_segment() {
        assert_eq!(encode("refs/pr/3"), "refs%2Fpr%2F3");
        assert_eq!(encode("v1.0_a-b~c#é"), "v1.0_a-b~c%23%C3%A9");
    }

    #[test]
    fn urls_in_messages_contain_no_secrets() {
        assert_eq!(
            shown("https://me:secret@hub.co:8443/a/b?signature=c"),
            "https://hub.co:8443/a/b"
        );
        assert_eq!(
            server("https://me:secret@hub.co:8443/a?b"),
            "https://hub.co:8443"
        );
        assert_eq!(shown("https://hub.co"), "https://hub.co");
    }
}
