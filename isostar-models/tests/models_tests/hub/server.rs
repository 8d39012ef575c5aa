//! A test hub on a loopback address that responds like huggingface.co, and a second server to which
//! it redirects.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

/// A request that a server received.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whether the server of large files received it, as opposed to the hub.
    pub by_cdn: bool,
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

/// The content and the behaviour of the hub.
#[derive(Default)]
pub struct State {
    pub name: String,
    /// Whether the repository is a dataset.
    pub is_dataset: bool,
    /// The commit of each branch and tag. Commits can be requested without an entry.
    pub revisions: BTreeMap<String, String>,
    pub files: BTreeMap<String, Vec<u8>>,
    /// The large files, which are redirected to the other server and have a SHA-256.
    pub large: Vec<String>,
    /// The only token that permits access to the repository.
    pub token: Option<String>,
    /// Whether the files require a token, but not the listing.
    pub gated: bool,
    /// Responds to every request with this status.
    pub status: Option<u16>,
    /// Sends this many bytes of this file, once. Then closes the connection, or sends nothing for
    /// the given duration.
    pub cut: Option<(String, usize, Option<Duration>)>,
    pub ignores_range: bool,
    /// Changes a byte of every large file.
    pub corrupts: bool,
    /// A value that replaces the commit in the listing.
    pub sha: Option<String>,
    /// A value that replaces the hash in the entity tags of files.
    pub etag: Option<String>,
    /// The path of a former name of the repository, which is redirected to the current one.
    pub old_name: Option<String>,
    pub requests: Vec<Request>,
}

pub struct Hub {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Hub {
    pub fn start(state: State) -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let cdn = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", hub.local_addr().unwrap());
        let cdn_address = format!("http://{}", cdn.local_addr().unwrap());
        let state = Arc::new(Mutex::new(state));
        for (listener, by_cdn) in [(hub, false), (cdn, true)] {
            let state = Arc::clone(&state);
            let cdn_address = cdn_address.clone();
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let state = Arc::clone(&state);
                    let cdn_address = cdn_address.clone();
                    thread::spawn(move || serve(stream.unwrap(), by_cdn, &state, &cdn_address));
                }
            });
        }
        Self { endpoint, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().requests)
    }
}

fn serve(mut stream: TcpStream, by_cdn: bool, state: &Mutex<State>, cdn: &str) -> Option<()> {
    let request = read(&stream, by_cdn)?;
    let mut state = state.lock().unwrap();
    state.requests.push(request.clone());
    let reply = if by_cdn {
        send_large(&state, &request)
    } else {
        answer(&state, &request, cdn)
    };
    let is_file = request.method == "GET"
        && matches!(reply.status, 200 | 206)
        && !request.path.starts_with("/api/");
    let cut = state
        .cut
        .take_if(|(file, ..)| is_file && request.path.ends_with(file.as_str()));
    drop(state);

    let mut head = format!(
        "HTTP/1.1 {} Some Reason\r\nConnection: close\r\n",
        reply.status
    );
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !reply
        .headers
        .iter()
        .any(|(name, _)| *name == "Content-Length")
    {
        head += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    stream.write_all((head + "\r\n").as_bytes()).ok()?;
    if request.method == "HEAD" {
        return None;
    }
    match cut {
        None => stream.write_all(&reply.body).ok(),
        Some((_, count, silence)) => {
            stream.write_all(&reply.body[..count]).ok()?;
            thread::sleep(silence.unwrap_or_default());
            None
        }
    }
}

fn read(stream: &TcpStream, by_cdn: bool) -> Option<Request> {
    let mut lines = BufReader::new(stream)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty());
    let first = lines.next()?;
    let mut words = first.split(' ').map(str::to_string);
    let (method, path) = (words.next()?, words.next()?);
    let headers = lines.filter_map(|line| {
        line.split_once(": ")
            .map(|(name, value)| (name.to_lowercase(), value.to_string()))
    });
    Some(Request {
        by_cdn,
        method,
        path,
        headers: headers.collect(),
    })
}

fn answer(state: &State, request: &Request, cdn: &str) -> Reply {
    let refuse = |status, code: &str| Reply {
        status,
        headers: vec![("X-Error-Code", code.to_string())],
        body: b"refused".to_vec(),
    };
    if let Some(status) = state.status {
        return refuse(status, "");
    }
    if let Some(old) = &state.old_name
        && request.path.contains(old.as_str())
    {
        let location = request.path.replace(old.as_str(), &state.name);
        return Reply {
            status: 307,
            headers: vec![("Location", location)],
            body: Vec::new(),
        };
    }
    let sent = request
        .headers
        .get("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    let is_open = state.token.is_none() || state.token.as_deref() == sent;
    let path = request.path.split('?').next().unwrap();

    let (group, folder) = if state.is_dataset {
        ("datasets", "/datasets")
    } else {
        ("models", "")
    };
    if let Some(rest) = path.strip_prefix(&format!("/api/{group}/{}/revision/", state.name)) {
        if !is_open && !state.gated {
            return if sent.is_some() {
                refuse(401, "")
            } else {
                refuse(401, "RepoNotFound")
            };
        }
        let revision = rest.replace("%2F", "/");
        let Some(sha) = state
            .revisions
            .get(&revision)
            .or(state.revisions.values().find(|sha| **sha == revision))
        else {
            return refuse(404, "RevisionNotFound");
        };
        let files = state
            .files
            .iter()
            .map(|(name, bytes)| serde_json::json!({"rfilename": name, "size": bytes.len()}));
        let listing = serde_json::json!({"sha": state.sha.as_ref().unwrap_or(sha), "siblings": files.collect::<Vec<_>>()});
        return Reply {
            status: 200,
            headers: Vec::new(),
            body: listing.to_string().into_bytes(),
        };
    }
    let Some(rest) = path.strip_prefix(&format!("{folder}/{}/resolve/", state.name)) else {
        return if sent.is_some() {
            refuse(404, "RepoNotFound")
        } else {
            refuse(401, "RepoNotFound")
        };
    };
    if !is_open {
        return refuse(
            if sent.is_some() { 403 } else { 401 },
            if state.gated {
                "GatedRepo"
            } else {
                "RepoNotFound"
            },
        );
    }
    let (revision, file) = rest.split_once('/').unwrap();
    let commit = state
        .revisions
        .get(revision)
        .map_or(revision, String::as_str);
    let Some(bytes) = state.files.get(file) else {
        return refuse(404, "EntryNotFound");
    };
    let mut reply = match state.large.iter().any(|large| large == file) {
        true => Reply {
            status: 302,
            headers: vec![
                ("Location", format!("{cdn}/repos/{file}?signature=abc%2F")),
                ("X-Linked-Size", bytes.len().to_string()),
                (
                    "X-Linked-Etag",
                    format!("\"{}\"", hex(digest(&SHA256, bytes).as_ref())),
                ),
            ],
            body: b"Found. Redirecting".to_vec(),
        },
        false => ranged(state, request, bytes.clone()),
    };
    let etag = state
        .etag
        .clone()
        .unwrap_or_else(|| hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()));
    reply.headers.extend([
        ("ETag", format!("W/\"{etag}\"")),
        ("X-Repo-Commit", commit.to_string()),
    ]);
    reply
}

/// The response of the other server, which ignores commits and tokens and sends different entity
/// tags.
fn send_large(state: &State, request: &Request) -> Reply {
    let file = request
        .path
        .strip_prefix("/repos/")
        .and_then(|path| path.split('?').next())
        .unwrap();
    let mut bytes = state.files[file].clone();
    if state.corrupts {
        bytes[0] ^= 1;
    }
    let mut reply = ranged(state, request, bytes);
    reply.headers.push(("ETag", "\"another-one\"".to_string()));
    reply
}

fn ranged(state: &State, request: &Request, bytes: Vec<u8>) -> Reply {
    let from = request
        .headers
        .get("range")
        .filter(|_| !state.ignores_range);
    let from = from.map(|range| {
        range
            .strip_prefix("bytes=")
            .unwrap()
            .strip_suffix('-')
            .unwrap()
            .parse::<usize>()
            .unwrap()
    });
    let total = bytes.len();
    match from {
        Some(from) if from >= total => Reply {
            status: 416,
            headers: vec![("Content-Range", format!("bytes */{total}"))],
            body: Vec::new(),
        },
        Some(from) => Reply {
            status: 206,
            headers: vec![
                (
                    "Content-Range",
                    format!("bytes {from}-{}/{total}", total - 1),
                ),
                ("Accept-Ranges", "bytes".to_string()),
            ],
            body: bytes[from..].to_vec(),
        },
        None => Reply {
            status: 200,
            headers: vec![("Content-Length", total.to_string())],
            body: bytes,
        },
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
