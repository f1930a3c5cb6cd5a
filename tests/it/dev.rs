//! `taskhook dev`: the function behind a local address, its page's data, and the locks.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::support::shipped::root;

/// How long a test waits for something that happens in milliseconds: never what is judged.
const PATIENCE: Duration = Duration::from_mins(1);

/// A desk in a folder of its own, with the sources and samples of GitHub and Jira.
struct Desk {
    http: Client,
    address: String,
    key: String,
    folder: PathBuf,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Desk {
    async fn start(test: &str, arguments: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("dev-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        for name in ["github", "jira"] {
            copy(&format!("sources/{name}.toml"), &folder);
            for entry in std::fs::read_dir(root().join("events").join(name)).unwrap() {
                let file = entry.unwrap().file_name();
                copy(&format!("events/{name}/{}", file.to_str().unwrap()), &folder);
            }
        }
        copy("sources/available/asana.toml", &folder);
        copy("events/secrets.json", &folder);
        copy("events/portal.json", &folder);
        Self::start_in(folder, arguments).await
    }

    async fn start_in(folder: PathBuf, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_taskhook"))
            .args(["dev", "--port", "0"])
            .args(arguments)
            .current_dir(&folder)
            .env_remove("TASKHOOK_SOURCES")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = output.next_line().await.unwrap().unwrap();
        let address = first.strip_prefix("taskhook dev: ").unwrap().to_owned();
        let http = taskhook::outbound::client(false);
        let page = http.get(&address).send().await.unwrap().text().await.unwrap();
        let (_, key) = page.split_once("name=\"desk-key\" content=\"").unwrap();
        let key = key.split('"').next().unwrap().to_owned();
        Self { http, address, key, folder, input, output, _child: child }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.address)).header("desk-key", &self.key)
    }

    async fn get(&self, path: &str) -> Value {
        ask(self.request(Method::GET, path)).await.1
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        ask(self.request(Method::POST, path).body(body.to_string())).await
    }

    /// Keeps a sample as a payload.
    async fn sample(&self, name: &str) -> String {
        let path = format!("/_desk/payloads?sample={name}");
        let (status, payload) = ask(self.request(Method::POST, &path)).await;
        assert_eq!(status, 200, "{payload}");
        payload["id"].as_str().unwrap().to_owned()
    }

    async fn explain(&self, payload: &str, toml: Option<&str>) -> Value {
        let body = json!({"source": "github", "payload": payload, "toml": toml});
        let (status, story) = self.post("/_desk/explain", &body).await;
        assert_eq!(status, 200, "{story}");
        story
    }

    /// Sends a payload, and gives what is kept of it.
    async fn send(&self, payload: &str) -> Value {
        let body = json!({"source": "github", "payload": payload});
        let (status, sent) = self.post("/_desk/send", &body).await;
        assert_eq!(status, 200, "{sent}");
        self.get(&format!("/_desk/deliveries/{}", sent["delivery"])).await
    }

    fn toml(&self) -> String {
        std::fs::read_to_string(self.folder.join("sources/github.toml")).unwrap()
    }

    fn write_toml(&self, text: &str) {
        std::fs::write(self.folder.join("sources/github.toml"), text).unwrap();
    }

    /// Waits until the list says this of the source.
    async fn until_state(&self, name: &str, state: &str) {
        let wait = async {
            loop {
                let all = self.get("/_desk/state").await;
                let found = all["sources"].as_array().unwrap().iter().find(|it| it["name"] == name);
                if found.is_some_and(|source| source["state"] == state) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{name}: {state}"));
    }

    /// Waits for a line of the terminal that holds this text.
    async fn until_line(&mut self, text: &str) -> String {
        let wait = async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                if line.contains(text) {
                    return line;
                }
            }
            panic!("the desk stopped")
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("no line: {text}"))
    }

    async fn press(&mut self, key: &str) {
        self.input.write_all(format!("{key}\n").as_bytes()).await.unwrap();
    }
}

async fn ask(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn copy(path: &str, folder: &Path) {
    let to = folder.join(path);
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::copy(root().join(path), to).unwrap();
}

fn verdict(story: &Value) -> (&str, &str) {
    let verdict = &story["verdict"];
    (verdict["state"].as_str().unwrap(), verdict["title"].as_str().unwrap())
}

fn row<'s>(story: &'s Value, name: &str) -> &'s Value {
    let rows = story["tasks"][0]["rows"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {story:#}"))
}

#[tokio::test]
async fn a_payload_is_explained_beside_its_task_and_then_sent() {
    let desk = Desk::start("send", &[]).await;
    let payload = desk.sample("github/closed.json").await;
    let story = desk.explain(&payload, None).await;
    assert_eq!(verdict(&story), ("updates", "Updates task 9001"));
    assert_eq!(story["verdict"]["detail"], "4 of 6 properties change, 2 stay.");
    let status = row(&story, "hs_task_status");
    assert_eq!(
        (&status["state"], &status["before"], &status["after"], &status["gives"]),
        (&json!("change"), &json!("NOT_STARTED"), &json!("COMPLETED"), &json!("\"completed\""))
    );
    let line = usize::try_from(status["line"].as_u64().unwrap()).unwrap();
    assert!(desk.toml().lines().nth(line - 1).unwrap().starts_with("from     = 'if .action"));
    let beside = story["answers"].as_array().unwrap();
    let beside = beside.iter().find(|answer| answer["line"] == status["map_line"]).unwrap();
    assert_eq!(beside, &json!({"line": beside["line"], "state": "change", "text": "COMPLETED"}));
    assert!(desk.get("/_desk/calls").await["calls"].as_array().unwrap().is_empty(), "only looked");

    let sent = desk.send(&payload).await;
    let delivery = &sent["delivery"];
    assert_eq!(
        [&delivery["what"], &delivery["signature"], &delivery["outcome"], &delivery["task"]],
        ["issues, closed", "right", "updated", "acme/shop#12 → 9001"]
    );
    assert_eq!(
        (&delivery["status"], verdict(&sent["story"]).1),
        (&json!(200), "Updated task 9001")
    );
    // The calls are those that were shown, newest first.
    let calls: Vec<&str> = sent["calls"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|call| call["path"].as_str().unwrap())
        .collect();
    let shown: Vec<&str> = story["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["path"].as_str().unwrap())
        .collect();
    assert_eq!(calls, shown);
    assert_eq!(sent["calls"][0]["request"], story["requests"][1]["body"], "to the letter");
    let tasks = desk.get("/_desk/tasks").await;
    let task = tasks["tasks"].as_array().unwrap().iter().find(|it| it["record"] == "9001").unwrap();
    assert_eq!((&task["status"], &task["changed"]), (&json!("COMPLETED"), &json!(true)));
    assert_eq!(verdict(&desk.explain(&payload, None).await).0, "unchanged");
}

#[tokio::test]
async fn a_draft_is_tried_and_a_mistake_has_its_place_in_units_of_a_browser() {
    let desk = Desk::start("draft", &[]).await;
    let payload = desk.sample("github/closed.json").await;
    let toml = desk.toml();
    let broken = toml.replace("'.issue.title'", "'\"😀\" + .issue.title | tset(1)'");
    let story = desk.explain(&payload, Some(&broken)).await;
    assert_eq!(verdict(&story).0, "broken");
    let problem = &story["problems"][0];
    let at = |name: &str| usize::try_from(problem[name].as_u64().unwrap()).unwrap();
    let units: Vec<u16> = broken.encode_utf16().collect();
    let marked = &units[at("offset")..at("offset") + at("length")];
    assert_eq!(String::from_utf16_lossy(marked), "tset", "{problem}");
    assert!(problem["message"].as_str().unwrap().contains("no function tset"), "{problem}");

    let without = toml
        .replace(", P1 = \"HIGH\"", "")
        .replace(", otherwise = \"NONE\", unmapped = \"skip\" }\n# The due", " }\n# The due");
    let story = desk.explain(&payload, Some(&without)).await;
    assert_eq!(verdict(&story), ("failed", "Fails: one property can't be written"));
    let states: Vec<&str> = story["tasks"][0]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["state"].as_str().unwrap())
        .collect();
    assert_eq!(states.iter().filter(|state| **state == "wrong").count(), 1, "{states:?}");
    assert!(
        row(&story, "hs_task_priority")["reason"]
            .as_str()
            .unwrap()
            .contains("\"P1\" is not in its map")
    );

    let alone = toml
        .replace("# hubspot_owner_id = {", "hubspot_owner_id = {")
        .replace("ada-acme = \"101\", ", "");
    let story = desk.explain(&payload, Some(&alone)).await;
    let owner = row(&story, "hubspot_owner_id");
    assert_eq!((&owner["state"], &owner["gives"]), (&json!("alone"), &json!("\"ada-acme\"")));
    assert_eq!(desk.toml(), toml, "a draft is written nowhere");
}

#[tokio::test]
async fn an_expression_that_does_not_end_is_named_and_stops_nobody() {
    let desk = Desk::start("endless", &[]).await;
    let payload = desk.sample("github/closed.json").await;
    for code in ["[range(1e12)] | length", "last(range(1e15))"] {
        let toml = desk.toml().replace("'.issue.title'", &format!("'{code}'"));
        let story = desk.explain(&payload, Some(&toml)).await;
        let problem = &story["problems"][0];
        let message = problem["message"].as_str().unwrap();
        assert!(message.starts_with("hs_task_subject: the expression "), "{story}");
        let line = toml.lines().position(|line| line.starts_with("hs_task_subject")).unwrap() + 1;
        assert_eq!(problem["line"], line);
    }
    assert_eq!(verdict(&desk.explain(&payload, None).await).0, "updates");
}

#[tokio::test]
async fn a_file_is_read_again_and_the_last_good_one_serves_on() {
    let mut desk = Desk::start("reload", &[]).await;
    let payload = desk.sample("github/closed.json").await;
    let toml = desk.toml();
    desk.write_toml(&toml.replace("'.issue.title'", "'.issue.title | tset(1)'"));
    desk.until_state("github", "stale").await;
    desk.until_line("there is no function tset").await;
    desk.until_line("The last good one serves on.").await;
    assert_eq!(desk.send(&payload).await["delivery"]["outcome"], "updated");
    desk.write_toml(&toml.replace("'.issue.title'", "'\"New: \" + .issue.title'"));
    desk.until_state("github", "ready").await;
    desk.until_line("github.toml was read again").await;
    let story = desk.explain(&payload, None).await;
    assert!(row(&story, "hs_task_subject")["after"].as_str().unwrap().starts_with("New: "));
    std::fs::write(desk.folder.join("sources/other.toml"), "nothing").unwrap();
    desk.until_state("other", "broken").await;
}

#[tokio::test]
async fn a_file_is_saved_unless_it_was_changed_meanwhile_and_new_ones_stay_in_the_folder() {
    let desk = Desk::start("save", &[]).await;
    let before = desk.get("/_desk/sources/github").await;
    assert_eq!(before["toml"], desk.toml());
    let put = |tag: &str, text: &str| {
        let request = desk.request(Method::PUT, "/_desk/sources/github").header("if-match", tag);
        ask(request.body(text.to_owned()))
    };
    let tag = before["etag"].as_str().unwrap();
    let text = format!("{}# mine\n", desk.toml());
    let (status, saved) = put(tag, &text).await;
    assert_eq!((status, saved["toml"].as_str().unwrap()), (200, text.as_str()));
    assert_eq!(desk.toml(), text);
    let (status, refused) = put(tag, "theirs").await;
    assert_eq!((status, &refused["etag"]), (412, &saved["etag"]));
    assert_eq!(desk.toml(), text, "nothing was lost");
    let (status, _) = ask(desk.request(Method::PUT, "/_desk/sources/github").body("x")).await;
    assert_eq!(status, 428, "without If-Match");

    let (status, asana) =
        desk.post("/_desk/sources", &json!({"name": "asana", "ready": true})).await;
    assert_eq!((status, &asana["name"]), (201, &json!("asana")), "{asana}");
    assert_eq!(desk.post("/_desk/sources", &json!({"name": "asana", "ready": true})).await.0, 409);
    for name in ["../evil", "a/b", "", "a.b", "/tmp/x"] {
        let request = desk.request(Method::PUT, &format!("/_desk/sources/{name}"));
        let (status, _) = ask(request.header("if-match", tag).body("x")).await;
        assert!([404, 422].contains(&status), "{name}: {status}");
        let made = desk.post("/_desk/sources", &json!({"name": name, "ready": true})).await;
        assert!([404, 422].contains(&made.0), "{name}: {made:?}");
    }
    let mut files: Vec<_> = std::fs::read_dir(desk.folder.join("sources"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["asana.toml", "available", "github.toml", "jira.toml"]);
}

#[tokio::test]
async fn a_wrong_signature_is_told_with_what_would_make_it_right() {
    let mut desk = Desk::start("wrong", &[]).await;
    let event = std::fs::read(root().join("events/github/closed.json")).unwrap();
    let event: Value = serde_json::from_slice(&event).unwrap();
    let post = |body: String| {
        let mut request = desk.http.post(format!("{}/github", desk.address)).body(body);
        for (name, value) in event["headers"].as_object().unwrap() {
            if !["host", "content-length"].contains(&name.as_str()) {
                request = request.header(name, value.as_str().unwrap());
            }
        }
        ask(request)
    };
    let body = event["body"].as_str().unwrap();
    assert_eq!(post(body.to_owned()).await.0, 200, "as it was signed, from outside");
    let (status, answer) = post(format!("{body}\n")).await;
    assert_eq!(status, 401, "{answer}");
    let deliveries = desk.get("/_desk/deliveries").await;
    let newest = &deliveries["deliveries"][0];
    assert_eq!(
        (&newest["signature"], &newest["outcome"], &newest["id"]),
        (&json!("wrong"), &json!("refused"), &json!(2))
    );
    let story = desk.get("/_desk/deliveries/2").await["story"].clone();
    assert_eq!(verdict(&story), ("refused", "Refused with 401"));
    assert!(story["facts"].to_string().contains("it would be right without the line break"));
    desk.until_line("github        wrong      refused").await;
}

#[tokio::test]
async fn faults_strike_deliveries_and_count_down() {
    let desk = Desk::start("faults", &[]).await;
    let payload = desk.sample("github/closed.json").await;
    let put =
        |faults: Value| ask(desk.request(Method::PUT, "/_desk/faults").body(faults.to_string()));
    let (status, faults) = put(json!([{"name": "refused", "times": 1}])).await;
    assert_eq!(status, 200);
    let left = |faults: &Value| -> Vec<u64> {
        let faults = faults["faults"].as_array().unwrap();
        faults.iter().map(|fault| fault["left"].as_u64().unwrap()).collect()
    };
    assert_eq!(left(&faults), [0, 0, 0, 0, 1]);
    desk.explain(&payload, None).await;
    assert_eq!(left(&desk.get("/_desk/faults").await), [0, 0, 0, 0, 1], "to look costs none");
    let sent = desk.send(&payload).await;
    assert_eq!(sent["delivery"]["outcome"], "failed", "{sent:#}");
    assert_eq!(left(&desk.get("/_desk/faults").await), [0; 5]);
    let (status, problem) = put(json!([{"name": "fire"}])).await;
    assert_eq!(status, 422);
    assert!(problem["error"].as_str().unwrap().contains("rate_limited"), "{problem}");
}

#[tokio::test]
async fn the_page_is_for_this_machine_and_a_tunnel_reaches_the_webhooks_alone() {
    let desk = Desk::start("locks", &[]).await;
    let page = desk.http.get(&desk.address).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    assert_eq!(page.headers()["cache-control"], "no-store");
    let port = desk.address.rsplit(':').next().unwrap();
    let own = format!("http://localhost:{port}");
    for (name, value, expected) in [
        ("desk-key", "wrong", 403),
        ("host", "desk.example", 421),
        ("host", "127.0.0.1:1", 421),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("x-forwarded-for", "192.0.2.1", 403),
        ("forwarded", "for=192.0.2.1", 403),
        ("cf-connecting-ip", "192.0.2.1", 403),
        ("origin", &own, 200),
    ] {
        let url = format!("{}/_desk/state", desk.address);
        let mut request = desk.http.get(url).header(name, value);
        if name != "desk-key" {
            request = request.header("desk-key", &desk.key);
        }
        let (status, answer) = ask(request).await;
        assert_eq!(status, expected, "{name}: {value}: {answer}");
    }
    let (status, _) = ask(desk.http.get(&desk.address).header("host", "desk.example")).await;
    assert_eq!(status, 421, "nor is the page, with its key");
    let tunnelled = |path: &str| {
        let request = desk.http.post(format!("{}{path}", desk.address));
        ask(request.header("host", "abc.tunnel.example").header("x-forwarded-for", "192.0.2.1"))
    };
    assert_eq!(tunnelled("/github").await.0, 401, "the webhook's own answer");
    assert_eq!(tunnelled("/_desk/send").await.0, 421);
    assert_eq!(ask(desk.http.get(format!("{}/health", desk.address))).await.0, 200);
}

#[tokio::test]
async fn a_port_for_webhooks_takes_nothing_else() {
    let mut desk = Desk::start("door", &["--webhooks-port", "0"]).await;
    let line = desk.until_line("webhooks alone: ").await;
    let door = line.split("alone: ").nth(1).unwrap().to_owned();
    let at = |method: Method, path: &str| {
        ask(desk.http.request(method, format!("{door}{path}")).header("desk-key", &desk.key))
    };
    assert_eq!(at(Method::POST, "/github").await.0, 401, "the webhook's own answer");
    assert_eq!(at(Method::GET, "/health").await.0, 200);
    for path in ["/", "/_desk/state", "/_desk/sources/github"] {
        let (status, answer) = at(Method::GET, path).await;
        assert_eq!(
            (status, answer["error"].as_str()),
            (403, Some("This port takes webhooks alone.")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn no_answer_holds_a_secret_or_a_signature() {
    let desk = Desk::start("hidden", &[]).await;
    let secrets = std::fs::read_to_string(root().join("events/secrets.json")).unwrap();
    let secrets: serde_json::Map<String, Value> = serde_json::from_str(&secrets).unwrap();
    let payload = desk.sample("github/closed.json").await;
    let event = std::fs::read_to_string(root().join("events/github/closed.json")).unwrap();
    let event: Value = serde_json::from_str(&event).unwrap();
    let signature = event["headers"]["x-hub-signature-256"].as_str().unwrap();
    desk.send(&payload).await;
    let toml = desk.toml();
    let mut answers = vec![desk.explain(&payload, Some(&toml)).await];
    for path in [
        "state",
        "sources/github",
        "deliveries",
        "deliveries/1",
        "calls",
        "tasks",
        "faults",
        "payloads/p1",
        "payloads/p2",
    ] {
        answers.push(desk.get(&format!("/_desk/{path}")).await);
    }
    let hidden = json!(["x-hub-signature-256", {"hidden": "signature"}]);
    for payload in &answers[answers.len() - 2..] {
        assert!(payload["headers"].as_array().unwrap().contains(&hidden), "{payload:#}");
    }
    for answer in answers {
        let text = answer.to_string();
        assert!(!text.contains(signature) && !text.contains("sha256="), "{text}");
        for secret in secrets.values().filter_map(Value::as_str) {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(!text.contains("pat-local"), "{text}");
    }
}

#[tokio::test]
async fn a_page_that_comes_back_gets_what_it_missed_and_nothing_twice() {
    let desk = Desk::start("events", &[]).await;
    let payload = desk.sample("github/closed.json").await;
    desk.send(&payload).await;
    let state = desk.get("/_desk/state").await;
    let last = state["last"].as_u64().unwrap();
    let follow = async |after: u64| {
        let path = format!("/_desk/events?after={after}");
        let mut answer = desk.request(Method::GET, &path).send().await.unwrap();
        let mut text = String::new();
        while !text.contains("event: delivery") {
            let chunk = tokio::time::timeout(PATIENCE, answer.chunk()).await.unwrap();
            text += std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap();
        }
        text
    };
    let missed = follow(0).await;
    assert!(missed.contains("event: call\n"), "{missed}");
    let (now, _) = tokio::join!(follow(last), desk.send(&payload));
    let ids: Vec<u64> =
        now.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
    assert_eq!(ids.first(), Some(&(last + 1)), "{now}");
    assert!(ids.is_sorted() && now.contains("\"id\":2,"), "{now}");
}

#[tokio::test]
async fn keys_tell_the_story_send_again_and_switch_faults() {
    let mut desk = Desk::start("keys", &[]).await;
    desk.press("").await;
    desk.until_line("Nothing has arrived yet.").await;
    let payload = desk.sample("github/closed.json").await;
    desk.send(&payload).await;
    desk.until_line("github        right      updated    200  acme/shop#12 → 9001").await;
    desk.press("").await;
    desk.until_line("Updated task 9001").await;
    desk.until_line("\"NOT_STARTED\" → \"COMPLETED\"").await;
    desk.press("r").await;
    desk.until_line("github        right      unchanged").await;
    desk.press("f").await;
    desk.until_line("fault: Too many requests for the next 9 calls").await;
    desk.press("x").await;
    desk.until_line("\"x\" is no key").await;
    desk.press("q").await;
    while let Some(line) = desk.output.next_line().await.unwrap() {
        assert!(!line.contains("panic"), "{line}");
    }
}

#[tokio::test]
async fn deliveries_are_saved_as_samples_without_the_real_secret() {
    const REAL: &str = "the-real-secret-of-github";
    let mut desk = Desk::start("samples", &[]).await;
    desk.press("q").await;
    let real = desk.folder.join("real.json");
    std::fs::write(&real, json!({"taskhook/github": REAL}).to_string()).unwrap();
    let folder = desk.folder.clone();
    let arguments = ["--save", "kept", "--secrets", real.to_str().unwrap()];
    let mut desk = Desk::start_in(folder, &arguments).await;
    let send = async |secret: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_taskhook"))
            .args(["send", "github", "events/github/closed.json", "--url", &desk.address])
            .args(["--secret", secret])
            .current_dir(&desk.folder)
            .output()
            .await
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(send(REAL).await.starts_with("200"), "the real secret counts");
    assert!(send("local-github-webhook-secret").await.starts_with("401"));
    desk.until_line("github        wrong").await;
    let kept = desk.folder.join("kept");
    let mut files: Vec<_> = std::fs::read_dir(kept.join("github"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["issues-closed.expected.json", "issues-closed.json"], "the right one alone");
    let secrets = std::fs::read_to_string(kept.join("secrets.json")).unwrap();
    assert!(secrets.contains("taskhook/github") && !secrets.contains(REAL), "{secrets}");
    let output = Command::new(env!("CARGO_BIN_EXE_taskhook"))
        .args(["test", "github", "--events", "kept"])
        .current_dir(&desk.folder)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("ok"), "{said}");
}

#[tokio::test]
async fn the_story_of_a_delivery_claims_no_write_that_did_not_happen() {
    let desk = Desk::start("claims", &[]).await;
    let toml = desk.toml().replace("on_missing  = \"fail\"", "on_missing = \"create\"").replace(
        "# hubspot_owner_id = { from = 'given(.issue.assignee.login)', map = { ada-acme = \"101\", grace-acme = \"102\" }, otherwise = \"\", unmapped = \"skip\" }",
        "hubspot_owner_id = { owner = '\"nobody@acme.example\"', unmapped = \"skip\" }",
    );
    assert!(toml.contains("nobody@acme.example"));
    desk.write_toml(&toml);
    let unknown = desk.sample("github/unknown-task.json").await;
    desk.until_state("github", "ready").await;
    let until_read = async {
        while desk.explain(&unknown, None).await["verdict"]["state"] != "creates" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, until_read).await.unwrap();
    let story = desk.send(&unknown).await["story"].clone();
    assert_eq!(verdict(&story).0, "creates", "{story:#}");
    let owner = row(&story, "hubspot_owner_id");
    assert_eq!(owner["state"], "alone", "{owner}");
    assert!(owner["reason"].as_str().unwrap().contains("no owner with the address nobody@"));
    let record = story["tasks"][0]["record"].as_str().unwrap().to_owned();
    let tasks = desk.get("/_desk/tasks").await;
    let task = tasks["tasks"].as_array().unwrap().iter().find(|it| it["record"] == record).unwrap();
    let due = row(&story, "hs_timestamp")["after"].as_str().unwrap().to_owned();
    assert_eq!((&task["owner"], task["due"].as_str().unwrap()), (&json!(""), due.as_str()));

    // An older event of the same task: nothing is written, and nothing says so.
    let payload = desk.sample("github/closed.json").await;
    desk.send(&payload).await;
    let older = desk.get(&format!("/_desk/payloads/{payload}")).await["raw"]
        .as_str()
        .unwrap()
        .replace("2026-10-06T15:40:03Z", "2026-09-06T15:40:03Z");
    let request = desk.request(Method::POST, "/_desk/payloads").body(older);
    let id = ask(request).await.1["id"].as_str().unwrap().to_owned();
    let story = desk.send(&id).await["story"].clone();
    assert_eq!(verdict(&story).0, "stale");
    let states: Vec<_> = story["tasks"][0]["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["state"].as_str().unwrap())
        .collect();
    assert!(!states.contains(&"change") && !states.contains(&"set"), "{states:?}");
    assert_eq!(story["tasks"][0]["keeps"], Value::Null);

    // A body that can't be read is no filtered event.
    let request = desk.request(Method::POST, "/_desk/payloads").body("{\"a\": ");
    let id = ask(request).await.1["id"].as_str().unwrap().to_owned();
    let sent = desk.send(&id).await;
    assert_eq!(sent["delivery"]["outcome"], "failed");
    assert_eq!(verdict(&sent["story"]), ("failed", "Failed: the body can't be read"));
}

#[tokio::test]
async fn a_task_can_be_put_into_the_stand_in_for_an_update_to_find() {
    let desk = Desk::start("task", &[]).await;
    let unknown = desk.sample("github/unknown-task.json").await;
    let story = desk.explain(&unknown, None).await;
    assert_eq!(verdict(&story).0, "failed");
    assert!(story["verdict"]["detail"].as_str().unwrap().contains("on_missing = \"create\""));
    let body = json!({"idProperty": "github_issue", "id": story["tasks"][0]["id"]});
    let (status, made) = desk.post("/_desk/tasks", &body).await;
    assert_eq!(status, 201, "{made}");
    let story = desk.explain(&unknown, None).await;
    assert_eq!((verdict(&story).0, &story["tasks"][0]["record"]), ("updates", &made["record"]));
    assert_eq!(desk.post("/_desk/tasks", &body).await.0, 422, "once");
}

#[tokio::test]
async fn a_payload_says_whether_it_came_rightly_signed() {
    let desk = Desk::start("came", &[]).await;
    let came = async |sample: &str| {
        let story = desk.explain(&desk.sample(sample).await, None).await;
        story["facts"].as_array().unwrap().iter().find(|it| it["name"] == "It came").cloned()
    };
    assert_eq!(came("github/closed.json").await.unwrap()["value"], "rightly signed");
    assert_eq!(came("github/bad-signature.json").await.unwrap()["value"], "wrongly signed");
}

#[tokio::test]
async fn an_empty_folder_is_enough_to_begin() {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dev-empty-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let desk = Desk::start_in(folder, &[]).await;
    let state = desk.get("/_desk/state").await;
    assert_eq!((&state["sources"], &state["portal"]["kind"]), (&json!([]), &json!("stand-in")));
    let payload = std::fs::read(root().join("tests/it/new/forgejo-closed.http")).unwrap();
    let request = desk.request(Method::POST, "/_desk/payloads").body(payload);
    let (_, payload) = ask(request).await;
    let body = json!({"name": "forgejo", "payload": payload["id"]});
    let (status, made) = desk.post("/_desk/sources", &body).await;
    assert_eq!((status, &made["problems"]), (201, &json!([])), "{made}");
    assert!(desk.folder.join("sources/forgejo.toml").is_file());
    let body = json!({"source": "forgejo", "payload": payload["id"]});
    let (_, story) = desk.post("/_desk/explain", &body).await;
    // Nobody made a task with this id yet, and the file says "fail".
    assert_eq!(verdict(&story).0, "failed", "{story:#}");
    assert!(story["verdict"]["detail"].as_str().unwrap().starts_with("no task has forgejo_issue"));
    desk.until_state("forgejo", "no_secret").await;
}

/// A source without a signature.
const OPEN: &str = r#"[verify]
scheme = "none"
[task]
id = '.id'
id_property = "ticket"
[properties]
hs_task_subject = 'if .loop then last(range(1e18)) else .subject end'
"#;

impl Desk {
    async fn open(test: &str, source: &str) -> Self {
        let desk = Self::start(test, &[]).await;
        std::fs::write(desk.folder.join("sources/open.toml"), source).unwrap();
        desk.until_state("open", "ready").await;
        desk
    }

    async fn deliver(&self, path: &str, body: &str) -> u16 {
        ask(self.http.post(format!("{}{path}", self.address)).body(body.to_owned())).await.0
    }

    async fn newest(&self) -> Value {
        self.get("/_desk/deliveries").await["deliveries"][0].clone()
    }
}

#[tokio::test]
async fn a_saved_expression_that_does_not_end_has_its_row_and_stops_nobody() {
    let mut desk = Desk::open("loop", OPEN).await;
    assert_eq!(desk.deliver("/open", r#"{"id": "1", "loop": true}"#).await, 504);
    let newest = desk.newest().await;
    assert_eq!((&newest["status"], &newest["source"]), (&json!(504), &json!("open")));
    let story = desk.get(&format!("/_desk/deliveries/{}", newest["id"])).await["story"].clone();
    assert_eq!(verdict(&story), ("failed", "Fails: it does not end"), "{story:#}");
    assert!(story["verdict"]["detail"].as_str().unwrap().starts_with("Line 7: hs_task_subject"));
    desk.press("r").await;
    assert_eq!(
        desk.get("/_desk/state").await["portal"]["kind"],
        "stand-in",
        "it answers meanwhile"
    );
    desk.until_line("504").await;
    desk.press("q").await;
    while desk.output.next_line().await.unwrap().is_some() {}
}

#[tokio::test]
async fn a_path_that_another_file_has_is_the_fault_of_the_one_that_took_it() {
    let mut desk = Desk::open("path", OPEN).await;
    let other = OPEN.replacen("[verify]", "path = \"/other\"\n[verify]", 1);
    std::fs::write(desk.folder.join("sources/other.toml"), &other).unwrap();
    desk.until_state("other", "ready").await;
    std::fs::write(
        desk.folder.join("sources/other.toml"),
        other.replace("path = \"/other\"", "path = \"/open\""),
    )
    .unwrap();
    desk.until_state("other", "stale").await;
    desk.until_line("open.toml has the path").await;
    for path in ["/open", "/other"] {
        assert_eq!(desk.deliver(path, r#"{"id": "1"}"#).await, 200, "{path}");
        assert_eq!(desk.newest().await["source"], path[1..]);
    }
    assert_eq!(desk.deliver("/open/", r#"{"id": "1"}"#).await, 200);
    assert_eq!(desk.newest().await["source"], "open", "a slash at the end makes no difference");
}

#[tokio::test]
async fn a_strangers_text_moves_no_cursor() {
    let mut desk = Desk::open("escape", OPEN).await;
    desk.deliver("/open", r#"{"id": "1\u001b[2J\n14:00:00  open", "action": "\u202eevil"}"#).await;
    let line = desk.until_line("1\u{fffd}[2J").await;
    assert!(!line.contains('\u{1b}') && !line.contains('\u{202e}'), "{line:?}");
    let body = r#"{"action": "\u001b[2Jpwn"}"#;
    ask(desk.http.get(format!("{}/github", desk.address)).body(body)).await;
    assert_eq!(desk.newest().await["what"], "GET", "nothing of what nobody signed");
}

#[tokio::test]
async fn each_call_is_its_deliverys_however_many_run_at_once() {
    let desk = Desk::open("calls", OPEN).await;
    let deliveries =
        (0..20).map(|id| async move { format!(r#"{{"id": "{id}", "subject": "s"}}"#) });
    let bodies = futures_util::future::join_all(deliveries).await;
    let sent = bodies.iter().map(|body| desk.deliver("/open", body));
    futures_util::future::join_all(sent).await;
    for row in desk.get("/_desk/deliveries").await["deliveries"].as_array().unwrap() {
        let delivery = desk.get(&format!("/_desk/deliveries/{}", row["id"])).await;
        let id = delivery["story"]["tasks"][0]["id"].as_str().unwrap().to_owned();
        let calls = delivery["calls"].as_array().unwrap();
        assert!(!calls.is_empty(), "{row}");
        for call in calls {
            assert!(call["request"].as_str().unwrap().contains(&format!("\"{id}\"")), "{call}");
        }
    }
}

#[tokio::test]
async fn a_secret_is_hidden_by_its_value_wherever_it_stands_and_saved_nowhere() {
    const REAL: &str = "the-real-secret-of-the-door";
    let token = OPEN.replace(
        "scheme = \"none\"",
        "scheme = \"token\"\nheader = \"X-Desk-Door\"\nsecret = \"taskhook/door\"",
    );
    let mut first = Desk::start("hidden-door", &[]).await;
    first.press("q").await;
    std::fs::write(first.folder.join("sources/open.toml"), &token).unwrap();
    let real = first.folder.join("real.json");
    std::fs::write(&real, "{}").unwrap();
    let arguments = ["--save", "kept", "--secrets", real.to_str().unwrap()];
    let mut desk = Desk::start_in(first.folder.clone(), &arguments).await;
    desk.until_state("open", "no_secret").await;
    std::fs::write(&real, json!({"taskhook/door": REAL}).to_string()).unwrap();
    desk.until_state("open", "ready").await;
    let post = |body: &str| {
        let request = desk.http.post(format!("{}/open?door={REAL}", desk.address));
        let request = request.header("X-Desk-Door", REAL).header("X-Copy", REAL);
        ask(request.header("X-Forwarded-For", "192.0.2.7").body(body.to_owned()))
    };
    assert_eq!(post(r#"{"id": "1"}"#).await.0, 200);
    assert_eq!(post(r#"{"id": "1"}"#).await.0, 200, "the same again is kept once");
    assert_eq!(post(&format!(r#"{{"id": "1", "auth": "{REAL}"}}"#)).await.0, 200);
    // The header's name is another one now: what came before stays hidden.
    let other = token.replace("X-Desk-Door", "X-Other");
    std::fs::write(desk.folder.join("sources/open.toml"), other).unwrap();
    desk.until_line("open.toml was read again").await;
    for row in desk.get("/_desk/deliveries").await["deliveries"].as_array().unwrap() {
        let payload = row["payload"].as_str().unwrap();
        let shown = desk.get(&format!("/_desk/payloads/{payload}")).await.to_string();
        assert!(!shown.contains(REAL), "{shown}");
    }
    let mut saved = String::new();
    for entry in std::fs::read_dir(desk.folder.join("kept/open")).unwrap() {
        saved += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    assert!(!saved.contains(REAL) && !saved.contains("192.0.2.7"), "{saved}");
    assert_eq!(std::fs::read_dir(desk.folder.join("kept/open")).unwrap().count(), 2);
}

#[tokio::test]
async fn a_desk_that_can_not_start_says_why() {
    for (arguments, why) in [
        (vec!["--portal", "none.json"], "none.json can't be read"),
        (vec!["--online"], "HUBSPOT_TOKEN"),
        (vec!["--secrets", "none.json"], "none.json can't be read"),
        (vec!["--secrets", "events/README.md"], "README.md:1:1: it has to be a JSON object"),
        (vec!["--port", "1"], "choose another with --port"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taskhook"));
        command.arg("dev").args(&arguments).current_dir(root()).stdin(Stdio::null());
        command.env_remove("HUBSPOT_TOKEN").env_remove("HUBSPOT_TOKEN_SECRET");
        if arguments[0] == "--port" && std::net::TcpListener::bind("127.0.0.1:1").is_ok() {
            continue; // Who may have any port can have this one.
        }
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(why), "{said}");
    }
}
