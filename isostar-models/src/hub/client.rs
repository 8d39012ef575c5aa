//! Requests to the hub and the interpretation of its responses.

use std::io;

use serde::Deserialize;
use ureq::http::{HeaderValue, Response, StatusCode, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::error::HubError;
use super::files::{Listing, missing};
use super::id::is_commit;
use super::repository::Repository;
use super::settings::HubSettings;
use super::url::{encode, is_absolute, is_loopback, join, origin, server, shown};

const REDIRECTS: usize = 10;
/// Repositories of tens of thousands of files have listings of a few megabytes.
const LONGEST_LISTING: u64 = 64 << 20;

/// An HTTP client for one repository on the hub.
pub(super) struct Client<'a> {
    agent: Agent,
    endpoint: String,
    token: Option<HeaderValue>,
    repository: Repository<'a>,
}

/// A file as described by the hub before the download.
pub(super) struct Announced {
    /// The name of its blob in the cache.
    pub(super) etag: String,
    pub(super) size: u64,
    /// Its SHA-256 in hexadecimal digits, which the hub reports for large files.
    pub(super) sha256: Option<String>,
}

/// A response, from the hub itself or from a server to which it redirected.
struct Answer {
    url: String,
    by_hub: bool,
    response: Response<Body>,
}

#[derive(Deserialize)]
struct Info {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
}

impl<'a> Client<'a> {
    pub(super) fn new(
        settings: &HubSettings,
        repository: Repository<'a>,
    ) -> Result<Self, HubError> {
        let endpoint = settings.endpoint.trim_end_matches('/').to_string();
        if origin(&endpoint).is_none() {
            return Err(HubError::Endpoint { endpoint });
        }
        let token = settings
            .token
            .as_ref()
            .map(|token| HeaderValue::try_from(format!("Bearer {token}")))
            .transpose();
        let mut token = token.map_err(|_| HubError::Unauthorized {
            endpoint: endpoint.clone(),
        })?;
        token.iter_mut().for_each(|token| token.set_sensitive(true));
        let config = Agent::config_builder()
            .tls_config(
                TlsConfig::builder()
                    .root_certs(root_certificates(settings)?)
                    .build(),
            )
            .user_agent(concat!("isostar/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(settings.timeout))
            .timeout_connect(Some(settings.timeout))
            .timeout_recv_response(Some(settings.timeout))
            .timeout_per_read(Some(settings.timeout));
        Ok(Self {
            agent: config.build().into(),
            endpoint,
            token,
            repository,
        })
    }

    /// Requests the commit and the files of the revision.
    pub(super) fn list(&self) -> Result<Listing, HubError> {
        let (id, group) = (self.repository.id, self.repository.group());
        let url = format!(
            "{}/api/{group}/{}/revision/{}?blobs=true",
            self.endpoint,
            id.name,
            encode(&id.revision)
        );
        let mut answer = self.accept(self.ask(false, &url, 0)?, None)?;
        let body = answer
            .response
            .body_mut()
            .with_config()
            .limit(LONGEST_LISTING)
            .read_to_vec();
        let body = body.map_err(|error| unreached(&answer.url, error))?;
        let info: Info =
            serde_json::from_slice(&body).map_err(|error| answer.unlike_a_hub(error))?;
        if !is_commit(&info.sha) {
            return Err(answer.unlike_a_hub(format!("{:?} is not a commit hash", info.sha)));
        }
        let sizes = info
            .siblings
            .into_iter()
            .map(|file| (file.rfilename, file.size))
            .collect();
        Ok(Listing {
            sha: info.sha,
            sizes,
        })
    }

    /// Requests the description of a file, without its content.
    pub(super) fn announce(&self, commit: &str, file: &str) -> Result<Announced, HubError> {
        let answer = self.ask(true, &self.file_url(commit, file), 0)?;
        let is_redirect = answer.response.status().is_redirection();
        let answer = if is_redirect {
            answer
        } else {
            self.accept(answer, Some(file))?
        };
        let linked = answer.header("x-linked-etag").map(normalize);
        let etag = linked
            .clone()
            .or_else(|| answer.header("etag").map(normalize))
            .unwrap_or_default();
        if etag.is_empty()
            || !etag
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(answer.unlike_a_hub(format!("{etag:?} is not an entity tag")));
        }
        let length = if is_redirect {
            None
        } else {
            answer.header("content-length")
        };
        let size = answer
            .header("x-linked-size")
            .or(length)
            .and_then(|size| size.parse().ok());
        let size = size.ok_or_else(|| answer.unlike_a_hub("the size of the file is missing"))?;
        let sha256 = linked
            .filter(|etag| etag.len() == 64 && etag.bytes().all(|byte| byte.is_ascii_hexdigit()));
        Ok(Announced { etag, size, sha256 })
    }

    /// Requests the bytes of a file from the offset `from`. The first element of the result says
    /// whether the content starts at `from`: a server may send the whole file instead.
    pub(super) fn open(
        &self,
        commit: &str,
        file: &str,
        from: u64,
    ) -> Result<(bool, impl io::Read + use<>), HubError> {
        let url = self.file_url(commit, file);
        let mut answer = self.ask(false, &url, from)?;
        if from > 0 && answer.response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            answer = self.ask(false, &url, 0)?;
        }
        let answer = self.accept(answer, Some(file))?;
        let is_part = answer.response.status() == StatusCode::PARTIAL_CONTENT;
        let start = format!("bytes {from}-");
        if is_part
            && !answer
                .header("content-range")
                .is_some_and(|range| range.starts_with(&start))
        {
            return Err(
                answer.unlike_a_hub("it contains a different range of the file than requested")
            );
        }
        Ok((is_part, answer.response.into_body().into_reader()))
    }

    fn file_url(&self, commit: &str, file: &str) -> String {
        let file: Vec<String> = file.split('/').map(encode).collect();
        format!(
            "{}/{}/resolve/{commit}/{}",
            self.endpoint,
            self.repository.page(),
            file.join("/")
        )
    }

    /// Sends a request and follows redirects. The token is sent only to the hub, and not if another
    /// server redirects back to it.
    ///
    /// A `HEAD` request does not follow a redirect to another server, because the hub's response
    /// describes the file.
    fn ask(&self, head: bool, url: &str, from: u64) -> Result<Answer, HubError> {
        let mut url = url.to_string();
        let mut by_hub = true;
        for _ in 0..=REDIRECTS {
            by_hub &= origin(&url) == origin(&self.endpoint);
            let mut request = if head {
                self.agent.head(&url)
            } else {
                self.agent.get(&url)
            };
            // A compressed response would have another length.
            request = request.header(header::ACCEPT_ENCODING, "identity");
            if let Some(token) = self.token.as_ref().filter(|_| by_hub) {
                request = request.header(header::AUTHORIZATION, token);
            }
            if from > 0 {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            if is_loopback(&url) {
                request = request.config().proxy(None).build();
            }
            let response = request.call().map_err(|error| unreached(&url, error))?;
            let answer = Answer {
                url,
                by_hub,
                response,
            };
            let next = match answer
                .header("location")
                .filter(|_| answer.response.status().is_redirection())
            {
                Some(location) if !(head && is_absolute(location) && answer.describes_file()) => {
                    join(&answer.url, location)
                }
                _ => return Ok(answer),
            };
            url = next;
        }
        Err(HubError::Answer {
            url: shown(&url),
            reason: "too many redirects".to_string(),
        })
    }

    /// Returns a successful response, or the error that its status means.
    fn accept(&self, answer: Answer, file: Option<&str>) -> Result<Answer, HubError> {
        let status = answer.response.status();
        if status.is_success() {
            return Ok(answer);
        }
        let (kind, id) = (self.repository.kind(), self.repository.id);
        let name = id.name.clone();
        let reason = match answer.header("x-error-message") {
            Some(message) => format!("{status}: {message}"),
            None => status.to_string(),
        };
        Err(
            match (
                answer.header("x-error-code").unwrap_or_default(),
                status.as_u16(),
            ) {
                (_, 408 | 429 | 500..) => unreached(
                    &answer.url,
                    io::Error::other(format!("the server returned status {status}")).into(),
                ),
                _ if !answer.by_hub => answer.unlike_a_hub(reason),
                ("GatedRepo", _) => HubError::Gated { kind, name },
                ("RepoNotFound", _) => HubError::NotFound { kind, name },
                ("RevisionNotFound", _) => HubError::NoRevision {
                    kind,
                    id: id.clone(),
                },
                // Without a token, the hub returns this status for a repository that does not exist.
                (_, 401) if self.token.is_none() => HubError::NotFound { kind, name },
                (_, 401 | 403) if self.token.is_some() => HubError::Unauthorized {
                    endpoint: server(&answer.url),
                },
                (_, 404) => match file {
                    Some(file) => missing(self.repository, file),
                    None => HubError::NotFound { kind, name },
                },
                _ => answer.unlike_a_hub(reason),
            },
        )
    }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    }

    fn describes_file(&self) -> bool {
        self.header("x-linked-etag")
            .or(self.header("etag"))
            .is_some()
    }

    fn unlike_a_hub(&self, reason: impl ToString) -> HubError {
        HubError::Answer {
            url: shown(&self.url),
            reason: reason.to_string(),
        }
    }
}

fn unreached(url: &str, error: ureq::Error) -> HubError {
    HubError::Unreachable {
        endpoint: server(url),
        source: error.into_io(),
    }
}

/// An entity tag without its quotes and without the prefix of a weak tag.
fn normalize(etag: &str) -> String {
    etag.trim_start_matches("W/").trim_matches('"').to_string()
}

fn root_certificates(settings: &HubSettings) -> Result<RootCerts, HubError> {
    let Some(path) = &settings.certificates else {
        return Ok(RootCerts::WebPki);
    };
    let bytes = std::fs::read(path).map_err(HubError::io("read", path))?;
    let certificates: Vec<_> = parse_pem(&bytes)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    Ok(RootCerts::new_with_certs(&certificates))
}
