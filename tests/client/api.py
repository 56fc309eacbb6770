"""A scripted Messages API on loopback, for checks with a real client and no network.

A script maps words of a prompt to the steps of its answer:

    {"count the files": [tool("Bash", command="ls"), text("There are three.")]}

The server is stateless. For each request, it looks for the newest prompt that the script contains and
counts the assistant's messages after it. Resumed, forked and concurrent conversations therefore work
like new ones. It records every request, because the checks inspect them.
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FALLBACK = "Nothing to do."
COMPACTED = "<analysis>short</analysis><summary>The work so far, in short.</summary>"


def text(words):
    return {"blocks": [{"type": "text", "text": words}]}


def tool(name, **given):
    return {"blocks": [{"type": "tool_use", "name": name, "input": given}]}


def tools(*steps):
    """Returns several calls in one message, which the client runs in parallel."""
    return {"blocks": [block for step in steps for block in step["blocks"]]}


def error(status, kind, words):
    return {"status": status, "error": {"type": kind, "message": words}}


def blocks_of(message):
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def texts_of(message):
    return "\n".join(b.get("text", "") for b in blocks_of(message) if b.get("type") == "text")


def all_text(body):
    """Returns a whole request as text."""
    return json.dumps(body, ensure_ascii=False)


def is_compaction(messages):
    return "summary of the conversation" in texts_of(messages[-1]) if messages else False


def next_step(script, body):
    """Returns the step that answers this request."""
    messages = [m for m in body.get("messages", []) if m.get("role") != "system"]
    if is_compaction(messages):
        return text(COMPACTED)
    for at in range(len(messages) - 1, -1, -1):
        if messages[at].get("role") != "user":
            continue
        prompt = texts_of(messages[at])
        # The last match wins, because contexts and reminders come before the typed text.
        known = max(script, key=prompt.rfind, default=None)
        if known is None or known not in prompt:
            continue
        done = sum(1 for m in messages[at:] if m.get("role") == "assistant")
        steps = script[known]
        return steps[done] if done < len(steps) else text(FALLBACK)
    return text(FALLBACK)


def sse(step, model, number):
    """Yields the events of one streamed message."""
    calls = any(b["type"] == "tool_use" for b in step["blocks"])
    usage = {"input_tokens": 10, "output_tokens": 1, "cache_creation_input_tokens": 0,
             "cache_read_input_tokens": 0}
    yield "message_start", {"message": {
        "id": f"msg_{number}", "type": "message", "role": "assistant", "model": model,
        "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}}
    for index, block in enumerate(step["blocks"]):
        if block["type"] == "text":
            start = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            start = {"type": "tool_use", "id": f"toolu_{number}_{index}", "name": block["name"],
                     "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield "content_block_start", {"index": index, "content_block": start}
        yield "content_block_delta", {"index": index, "delta": delta}
        yield "content_block_stop", {"index": index}
    stop = "tool_use" if calls else "end_turn"
    yield "message_delta", {"delta": {"stop_reason": stop, "stop_sequence": None},
                            "usage": {"output_tokens": 20}}
    yield "message_stop", {}


class Api:
    """The server; `requests` are the bodies of all calls, in order."""

    def __init__(self, script):
        self.script = script
        self.requests = []
        self.lock = threading.Lock()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                body = json.loads(raw or b"{}")
                if not self.path.startswith("/v1/messages") or "count_tokens" in self.path:
                    return self.plain(200, {"input_tokens": 10})
                number = api.record(body)
                step = next_step(api.script, body)
                if "status" in step:
                    return self.plain(step["status"], {"type": "error", "error": step["error"]})
                try:
                    self.stream(step, body.get("model", "?"), number)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client was interrupted

            def do_HEAD(self):
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def do_GET(self):
                self.plain(404, {})

            def plain(self, status, body):
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def stream(self, step, model, number):
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("connection", "close")
                self.end_headers()
                for name, data in sse(step, model, number):
                    line = json.dumps({"type": name, **data})
                    self.wfile.write(f"event: {name}\ndata: {line}\n\n".encode())
                    self.wfile.flush()
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def record(self, body):
        with self.lock:
            self.requests.append({"at": time.monotonic(), "body": body})
            return len(self.requests)

    def mark(self):
        """A position in the list of requests, for `since`."""
        return len(self.requests)

    def since(self, mark):
        return [request["body"] for request in self.requests[mark:]]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
