"""What production needs and nothing more: the three views use no database, no
sessions and no accounts, so there is no middleware to pay for."""

import os

DEBUG = False
SECRET_KEY = os.urandom(32).hex()  # nothing is signed
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
ASGI_APPLICATION = "asgi.application"
MIDDLEWARE = []
INSTALLED_APPS = []
USE_I18N = False
USE_TZ = True

# Without DEBUG, Django keeps compiled templates.
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [os.path.join(os.path.dirname(__file__), "templates")],
    }
]

PROMO_SERVICE_URL = os.environ["PROMO_SERVICE_URL"]
RECCO_SERVICE_URL = os.environ["RECCO_SERVICE_URL"]
CERTIFICATE_TEMPLATE = os.environ["CERTIFICATE_TEMPLATE"]
UPLOADS = os.environ["UPLOADS"]
