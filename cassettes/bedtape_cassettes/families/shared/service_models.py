"""Loads botocore's service models from this machine, for the modules that need botocore."""

from __future__ import annotations

from functools import lru_cache

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel


@lru_cache(maxsize=16)
def load_service(name: str) -> ServiceModel:
    """Return botocore's model of a service. Raises UnknownServiceError."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


@lru_cache(maxsize=1024)
def load_operation(service: str, name: str) -> OperationModel | None:
    """Return botocore's model of an operation, or `None` if the installed botocore has none."""
    try:
        return load_service(service).operation_model(name)
    except (OperationNotFoundError, UnknownServiceError):
        return None
