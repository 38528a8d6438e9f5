from django.urls import path

import views

urlpatterns = [
    path("", views.home_gather_pooled),
    path("sync", views.home_sync),
    path("sequential", views.home_sequential),
    path("gather", views.home_gather),
    path("certificate", views.certificate),
    path("upload", views.upload),
]
