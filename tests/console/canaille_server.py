"""A provider of OpenID Connect as hospitals run them: canaille. Runs in an environment of its own.

    python3 -m venv .canaille && .canaille/bin/pip install "canaille[front,oidc,server]==0.3.6"

Arguments: port, redirect URI, client secret. Anna is a radiologist, Bert belongs to nobody.
"""

import datetime
import sys

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from joserfc.jwk import RSAKey

port, back, secret = int(sys.argv[1]), sys.argv[2], sys.argv[3]
PASSWORD = "correct horse battery"
settings = {
    "SECRET_KEY": "of the test",
    "SERVER_NAME": f"127.0.0.1:{port}",
    "PREFERRED_URL_SCHEME": "http",
    "CANAILLE": {"DATABASE": "memory", "SMTP": None, "ENABLE_REGISTRATION": False},
    "CANAILLE_OIDC": {
        "TRUSTED_DOMAINS": ["hilum.example"],
        "ACTIVE_JWKS": [RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True)],
    },
}
app = create_app(settings)
with app.app_context():
    backend = Backend.instance
    people = {
        name: models.User(
            user_name=name,
            formatted_name=name.title(),
            family_name=name.title(),
            display_name=name,
            emails=[f"{name}@hospital.example"],
            password=PASSWORD,
        )
        for name in ("anna", "bert")
    }
    for person in people.values():
        backend.save(person)
    backend.save(models.Group(display_name="radiology", members=[people["anna"]]))
    client = models.Client(
        client_id="hilum",
        client_secret=secret,
        client_id_issued_at=datetime.datetime.now(datetime.UTC),
        client_name="Hilum",
        contacts=["admin@hospital.example"],
        client_uri="https://hilum.example",
        redirect_uris=[back],
        grant_types=["authorization_code"],
        response_types=["code"],
        scope=["openid", "profile", "groups"],
        token_endpoint_auth_method="client_secret_basic",
    )
    backend.save(client)
    client.audience = [client]
    backend.save(client)
app.run(host="127.0.0.1", port=port)
