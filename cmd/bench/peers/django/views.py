"""The three views of "3 Effective Examples of Django Async Views without
Sleeping" (Arun Ravindran, 2020), written anew after its text."""

import asyncio
import logging
import os
from datetime import datetime

import aiofiles
import httpx
from django.conf import settings
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from forms import UploadFileForm

log = logging.getLogger(__name__)


def page(request, promo, recco):
    """A service that did not answer 200 has its block left out."""
    context = {}
    if promo is not None and promo.status_code == httpx.codes.OK:
        context["promo"] = promo.json()
    if recco is not None and recco.status_code == httpx.codes.OK:
        # Not "items", which a template would take for the method of dict.
        context["recco"] = {"books": recco.json()["items"]}
    return render(request, "index.html", context)


def home_sync(request):
    """One service after the other, in the thread that Django keeps for what
    is not async."""
    promo = recco = None
    try:
        promo = httpx.get(settings.PROMO_SERVICE_URL)
        recco = httpx.get(settings.RECCO_SERVICE_URL)
    except httpx.RequestError as error:
        log.error("%s: %r", error.request.url, error)
    return page(request, promo, recco)


async def home_sequential(request):
    """Async, and still one after the other: what the article warns of."""
    promo = recco = None
    try:
        async with httpx.AsyncClient() as client:
            promo = await client.get(settings.PROMO_SERVICE_URL)
            recco = await client.get(settings.RECCO_SERVICE_URL)
    except httpx.RequestError as error:
        log.error("%s: %r", error.request.url, error)
    return page(request, promo, recco)


async def home_gather(request):
    """Both at once, with a client for each request: the article's answer."""
    promo = recco = None
    try:
        async with httpx.AsyncClient() as client:
            promo, recco = await asyncio.gather(
                client.get(settings.PROMO_SERVICE_URL),
                client.get(settings.RECCO_SERVICE_URL),
            )
    except httpx.RequestError as error:
        log.error("%s: %r", error.request.url, error)
    return page(request, promo, recco)


pooled_client = None


async def home_gather_pooled(request):
    """Both at once, over one client for all requests: what httpx's manual
    recommends. Made on first use, since it belongs to the worker's event loop;
    without limits, so that 256 visitors don't wait for a free connection."""
    global pooled_client
    if pooled_client is None:
        pooled_client = httpx.AsyncClient(
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None)
        )
    promo = recco = None
    try:
        promo, recco = await asyncio.gather(
            pooled_client.get(settings.PROMO_SERVICE_URL),
            pooled_client.get(settings.RECCO_SERVICE_URL),
        )
    except httpx.RequestError as error:
        log.error("%s: %r", error.request.url, error)
    return page(request, promo, recco)


async def certificate(request):
    async with aiofiles.open(settings.CERTIFICATE_TEMPLATE, mode="rb") as template:
        content = await template.read()
    response = HttpResponse(content_type="application/pdf")
    response["Content-Disposition"] = "attachment; filename=certificate.pdf"
    response.write(content.replace(b"%timestamp%", datetime.now().isoformat().encode()))
    return response


async def store(file):
    async with aiofiles.open(os.path.join(settings.UPLOADS, file.name), "wb+") as destination:
        for chunk in file.chunks():
            await destination.write(chunk)


async def upload(request):
    if request.method == "POST":
        form = UploadFileForm(request.POST, request.FILES)
        if form.is_valid():
            await store(request.FILES["file"])
            return HttpResponseRedirect("/")
    else:
        form = UploadFileForm()
    return render(request, "upload.html", {"form": form})
