"""The safe fixes of templates: what comes out parses, says V2 only, and says nothing else anew.

Two judges who know nothing of this project read it, too, where `make scanners` has installed
Checkov: its HCL parser, and its own checks of IMDSv2.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
import tree_sitter_hcl
import yaml
from tree_sitter import Language, Parser

from imdsctl.lint import fixes
from imdsctl.lint.engine import look
from imdsctl.lint.finding import Finding
from imdsctl.lint.kinds import kind_of
from imdsctl.lint.run import Selection
from imdsctl.lint.source import Source

AREA = Path(__file__).parent / "corpus" / "iac"
ROOT = Path(__file__).parents[2]
CHECKOV = Path(os.environ.get("IMDSCTL_JUDGES", ROOT / ".judges")).absolute() / "checkov"
FIXED = ("v1-allowed", "metadata-options-missing", "hop-limit-containers")
RULES = (*FIXED, "contradictory-options", "endpoint-disabled-with-user-data",
         "account-default-optional", "image-without-imds-support")  # fmt: skip


def findings(path: str, text: str) -> list[Finding]:
    """What is said of launches; edits of the scripts inside are for those, not for the file."""
    kind = kind_of(path, text)
    assert kind is not None
    return [one for one in look(Source(path, kind, text)) if one.rule in RULES]


def mended(path: str, text: str) -> str:
    kind = kind_of(path, text)
    assert kind is not None
    return fixes.mended(path, text, kind, Selection(rules=frozenset(RULES))).text


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Takes the tags of CloudFormation for what stands behind them."""


def _tagged(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _tagged)


def parses(path: str, text: str) -> None:
    if path.endswith((".tf", ".hcl", ".tfvars")):
        tree = Parser(Language(tree_sitter_hcl.language())).parse(text.encode())
        assert not tree.root_node.has_error, text
    elif path.endswith(".json"):
        json.loads(text)
    else:
        assert list(yaml.load_all(text, Loader=_Loader))


WITH_FIXES = [
    str(path.relative_to(AREA))
    for path in sorted(AREA.rglob("*"))
    if path.is_file()
    and path.name != "expected.toml"
    and "broken" not in path.parts
    and any(one.edits for one in findings(str(path), path.read_text()))
]


@pytest.mark.parametrize("name", WITH_FIXES)
def test_a_fixed_file_parses_and_what_was_fixed_is_gone(name: str) -> None:
    path = AREA / name
    before = path.read_text()
    was = findings(str(path), before)
    after = mended(str(path), before)
    parses(name, after)
    is_now = findings(str(path), after)
    repaired = [one for one in was if one.edits]
    assert repaired
    assert not [one for one in is_now if one.edits], "the fix leaves a fix"
    assert len(is_now) <= len(was) - len(repaired)
    assert {one.rule for one in is_now} <= {one.rule for one in was}


def test_most_kinds_of_templates_can_be_fixed() -> None:
    folders = {name.split("/")[0] for name in WITH_FIXES}
    assert folders >= {"terraform", "cloudformation", "packer", "ansible", "kubernetes"}
    assert len(WITH_FIXES) >= 30


def test_a_block_is_added_as_terraform_fmt_has_it() -> None:
    text = 'resource "aws_instance" "web" {\n  ami = "ami-0123456789abcdef0"\n}\n'
    assert mended("main.tf", text) == (
        'resource "aws_instance" "web" {\n  ami = "ami-0123456789abcdef0"\n\n'
        '  metadata_options {\n    http_tokens = "required"\n  }\n}\n'
    )


def test_an_attribute_is_added_in_line_with_the_others() -> None:
    text = (
        'resource "aws_instance" "web" {\n  metadata_options {\n'
        '    http_endpoint = "enabled"\n  }\n}\n'
    )
    assert '    http_tokens   = "required"\n    http_endpoint = "enabled"\n' in mended("m.tf", text)


def test_only_the_value_changes_and_the_comment_beside_it_stays() -> None:
    path = AREA / "terraform" / "optional" / "main.tf"
    before = path.read_text()
    assert mended(str(path), before) == before.replace('"optional"', '"required"')


def test_a_host_of_containers_gets_a_hop_limit_of_2_with_its_tokens() -> None:
    text = (
        'resource "aws_launch_template" "ecs" {\n'
        '  user_data = base64encode("#!/bin/sh\\ndocker run nginx\\n")\n'
        '  metadata_options {\n    http_tokens = "optional"\n'
        "    http_put_response_hop_limit = 1\n  }\n}\n"
    )
    after = mended("main.tf", text)
    assert 'http_tokens = "required"' in after
    assert "http_put_response_hop_limit = 2" in after


def test_an_endpoint_that_is_off_stays_off_and_is_left_alone() -> None:
    for name in ("disabled_and_required", "disabled_with_user_data"):
        path = AREA / "terraform" / name / "main.tf"
        assert mended(str(path), path.read_text()) == path.read_text()
    path = AREA / "cloudformation" / "endpoint_disabled.yaml"
    assert mended(str(path), path.read_text()) == path.read_text()


def test_what_a_variable_says_is_left_to_whoever_sets_it() -> None:
    path = AREA / "terraform" / "module_default" / "main.tf"
    assert mended(str(path), path.read_text()) == path.read_text()


def test_a_template_in_yaml_keeps_its_tags_and_its_layout() -> None:
    before = (
        "Resources:\n  Web:\n    Type: AWS::EC2::Instance  # the only one\n    Properties:\n"
        "      ImageId: !Ref Image\n      UserData: !Base64 |\n        #!/bin/sh\n"
        "        docker ps\n"
    )
    added = (
        "      MetadataOptions:\n        HttpTokens: required\n        HttpPutResponseHopLimit: 2\n"
    )
    after = before.replace("    Properties:\n", f"    Properties:\n{added}", 1)
    assert mended("stack.yaml", before) == after
    assert findings("stack.yaml", after) == []


def test_a_host_of_containers_in_json_gets_both_at_once() -> None:
    options = '{"HttpEndpoint": "enabled"}'
    before = (
        '{"Resources": {"A": {"Type": "AWS::EC2::Instance", "Properties": {"UserData":\n'
        f'{{"Fn::Base64": "#!/bin/sh\\ndocker ps"}}, "MetadataOptions": {options}}}}}}}}}\n'
    )
    after = mended("stack.json", before)
    assert json.loads(after)["Resources"]["A"]["Properties"]["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 2,
        "HttpEndpoint": "enabled",
    }
    assert findings("stack.json", after) == []


def test_tokens_are_not_required_where_the_launch_s_own_script_sends_none() -> None:
    template = (
        'resource "aws_instance" "web" {\n  user_data = <<-EOF\n    #!/bin/sh\n    %s\n  EOF\n}\n'
    )
    call = "curl -sf %shttp://169.254.169.254/latest/meta-data/instance-id"
    for script, is_safe in (
        (call % "", False),
        ("# " + call % "", True),
        (call % '-H "X-aws-ec2-metadata-token: $T" ', True),
        (call % '-H "X-aws-ec2-metadata-token: $T" \\\n      ', True),
        ("nginx", True),
    ):
        text = template % script
        found = [one for one in findings("main.tf", text) if one.rule == "metadata-options-missing"]
        assert [bool(one.edits) for one in found] == [is_safe], script
    for name in ("cloudformation/instance.yaml", "kubernetes/karpenter_optional.yaml",
                 "packer/legacy.json", "terraform/provisioner/main.tf"):  # fmt: skip
        assert not any(
            one.edits for one in findings(name, (AREA / name).read_text()) if one.rule in FIXED
        ), name


def judged(folder: Path) -> set[tuple[str, str]]:
    """What Checkov's own checks of IMDSv2 fail, by file and check."""
    checks = "CKV_AWS_79,CKV_AWS_341"
    done = subprocess.run(
        [CHECKOV / "bin" / "checkov", "-d", folder, "--check", checks, "-o", "json", "--quiet",
         "--compact", "--skip-download"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    answer = json.loads(done.stdout)
    parts = answer if isinstance(answer, list) else [answer]
    return {
        (row["file_path"], row["check_id"])
        for part in parts
        for row in part.get("results", {}).get("failed_checks", ())
    }


@pytest.mark.skipif(not CHECKOV.is_dir(), reason="Checkov is not installed: make scanners")
def test_checkov_finds_nothing_in_what_was_fixed(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    for name in (
        "terraform/bastion/main.tf",
        "terraform/optional/main.tf",
        "terraform/endpoint_only/main.tf",
        "terraform/null_tokens/main.tf",
        "cloudformation/launch_template.yaml",
        "cloudformation/foreach.yaml",
    ):
        text = (AREA / name).read_text()
        for folder, content in ((before, text), (after, mended(name, text))):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
    failed = {check for _, check in judged(before)}
    assert "CKV_AWS_79" in failed, "the judge sees what is wrong before"
    assert not {row for row in judged(after) if row[1] == "CKV_AWS_79"}


@pytest.mark.skipif(not CHECKOV.is_dir(), reason="Checkov is not installed: make scanners")
def test_another_parser_of_hcl_reads_what_was_fixed(tmp_path: Path) -> None:
    texts = {}
    for name in WITH_FIXES:
        if name.endswith((".tf", ".hcl")):
            texts[name] = mended(str(AREA / name), (AREA / name).read_text())
    given = tmp_path / "texts.json"
    given.write_text(json.dumps(texts))
    program = (
        "import hcl2, json, sys\n"
        "for name, text in json.load(open(sys.argv[1])).items():\n"
        "    assert hcl2.loads(text), name\n"
        "    print(name)\n"
    )
    done = subprocess.run(
        [CHECKOV / "bin" / "python", "-c", program, given],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(texts)
