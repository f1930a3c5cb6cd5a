"""The vendors' own libraries, as witnesses of how they sign.

`sign` and `verify` take a JSON list of deliveries on standard input: scheme, secret, url, body, and for `verify` the
headers with lower-case names. `sign` prints the headers that the vendor's library makes for each, `verify` whether
it believes each.
"""

import json
import sys
import time
from datetime import datetime, timedelta, timezone

import jwt
import slack_sdk.signature
import standardwebhooks
import stripe
import svix
from hubspot.utils.signature import Signature


def sign(scheme, secret, url, body):
    now = datetime.now(timezone.utc)
    seconds = str(int(now.timestamp()))
    match scheme:
        case "standard-webhooks" | "gitlab-signed":
            signature = standardwebhooks.Webhook(secret).sign("msg_1", now, body)
            return {"webhook-id": "msg_1", "webhook-timestamp": seconds, "webhook-signature": signature}
        case "svix":
            signature = svix.Webhook(secret).sign("msg_1", now, body)
            return {"svix-id": "msg_1", "svix-timestamp": seconds, "svix-signature": signature}
        case "stripe":
            return {"stripe-signature": stripe.WebhookSignature.generate_signature_header(body, secret)}
        case "slack":
            verifier = slack_sdk.signature.SignatureVerifier(secret)
            signature = verifier.generate_signature(timestamp=seconds, body=body)
            return {"x-slack-request-timestamp": seconds, "x-slack-signature": signature}
        case "hubspot":
            milliseconds = str(int(time.time() * 1000))
            signature = Signature.get_signature(secret, body, "v3", url, "POST", milliseconds)
            return {"x-hubspot-request-timestamp": milliseconds, "x-hubspot-signature-v3": signature}
        case "monday":
            claims = {"accountId": 1825529, "aud": url, "iat": now, "exp": now + timedelta(minutes=5)}
            return {"authorization": jwt.encode(claims, secret, "HS256")}
    raise ValueError(scheme)


def verify(scheme, secret, url, body, headers):
    try:
        match scheme:
            case "standard-webhooks" | "gitlab-signed":
                standardwebhooks.Webhook(secret).verify(body, headers)
            case "svix":
                svix.Webhook(secret).verify(body, headers)
            case "stripe":
                stripe.WebhookSignature.verify_header(body, headers["stripe-signature"], secret, 300)
            case "slack":
                return slack_sdk.signature.SignatureVerifier(secret).is_valid_request(body, headers)
            case "hubspot":
                signature, timestamp = headers["x-hubspot-signature-v3"], headers["x-hubspot-request-timestamp"]
                return Signature.is_valid(signature, secret, body, url, "POST", "v3", timestamp)
            case "monday":
                jwt.decode(headers["authorization"], secret, ["HS256"], {"require": ["exp", "aud"]}, audience=url)
            case _:
                raise ValueError(scheme)
    except (standardwebhooks.WebhookVerificationError, stripe.SignatureVerificationError, jwt.InvalidTokenError):
        return False
    return True


answer = {"sign": sign, "verify": verify}[sys.argv[1]]
print(json.dumps([answer(**delivery) for delivery in json.load(sys.stdin)]))
