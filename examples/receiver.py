"""Prints what the hotel is told, if it is signed with the secret: RECEIVER_SECRET=... python3 receiver.py 8090"""
import hashlib, hmac, http.server, json, os, sys, time
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        t, v1 = (part.split("=")[1] for part in self.headers["innkeeper-signature"].split(","))
        good = hmac.new(os.environ["RECEIVER_SECRET"].encode(), f"{t}.".encode() + body, hashlib.sha256).hexdigest()
        right = hmac.compare_digest(good, v1) and abs(time.time() - int(t)) < 300
        if right:  # in one piece: several may come at once
            print(" ".join(json.loads(body)[name] for name in ("time", "subject", "type")) + "\n", end="", flush=True)
        self.send_response(204 if right else 401); self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
