"""What OpenShift does with pods: images of image streams in place of those that are written, and rules for what may be added."""

from __future__ import annotations

import json

import pytest
from pods import container, containers

from hardener.errors import CannotWrite
from hardener.facts.container import Item

POD = "{containers: [{name: mysql, image: 'mysql:8.4'}, {name: other, image: 'redis:7.2'}]}"
ONE = "{containers: [{name: web, image: 'nginx:1.27'}]}"


def config(triggers: str) -> str:
    return (
        "apiVersion: apps.openshift.io/v1\nkind: DeploymentConfig\nmetadata: {name: db}\n"
        f"spec: {{triggers: {triggers}, template: {{spec: {POD}}}}}\n"
    )


def deployment(annotations: str = "{}") -> str:
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, annotations: {annotations}}}\n"
        f"spec: {{template: {{spec: {ONE}}}}}\n"
    )


def template(text: str) -> str:
    body = "".join(f"  {line}\n" for line in text.splitlines())
    return f"apiVersion: template.openshift.io/v1\nkind: Template\nobjects:\n-\n{body}"


def test_a_trigger_replaces_the_images_of_the_containers_that_it_names() -> None:
    """openshift/api, apps/v1/types.go: DeploymentTriggerImageChangeParams, containerNames and from."""
    image = "{type: ImageChange, imageChangeParams: {containerNames: [mysql], from: {kind: ImageStreamTag, name: 'mysql:5.7'}}}"
    found = containers(config(f"[{image}, {{type: ConfigChange}}]"))
    assert found["db/mysql"].image is None
    assert found["db/mysql"].name == "ImageStreamTag mysql:5.7"
    assert str(found["db/other"].image) == "redis:7.2"


@pytest.mark.parametrize(
    "triggers", ["[]", "null", "[{type: ConfigChange}]", "[{type: ImageChange, imageChangeParams: null}]", "x"]
)
def test_other_triggers_leave_the_image(triggers: str) -> None:
    assert str(containers(config(triggers))["db/mysql"].image) == "mysql:8.4"


def test_a_deployment_says_it_in_an_annotation() -> None:
    """openshift/library-go, pkg/image/trigger/types.go: TriggerAnnotationKey."""
    source = {"kind": "ImageStreamTag", "name": "web:latest"}
    trigger = {"from": source, "fieldPath": 'spec.template.spec.containers[?(@.name=="web")].image'}
    said = json.dumps({"image.openshift.io/triggers": json.dumps([trigger])})
    assert container(deployment(said)).image is None
    assert str(container(deployment()).image) == "nginx:1.27"


@pytest.mark.parametrize("text", [config("[]").replace(POD, ONE), template(deployment())])
def test_openshift_refuses_added_capabilities_and_numbers(text: str) -> None:
    """No default security context constraint but `privileged` allows more than NET_BIND_SERVICE."""
    one = container(text)
    for new in ((Item("CHOWN"),), (Item("NET_BIND_SERVICE"), Item("cap_setuid"))):
        with pytest.raises(CannotWrite, match="OpenShift"):
            one.cap_add.to(new)
    with pytest.raises(CannotWrite, match="OpenShift"):
        one.user.to("101:101")
    assert one.cap_add.to((Item("NET_BIND_SERVICE"),))
    assert one.cap_drop.to((Item("ALL"),))


def test_elsewhere_they_are_written() -> None:
    one = container(deployment())
    assert one.cap_add.to((Item("CHOWN"),))
    assert one.user.to("101:101")
