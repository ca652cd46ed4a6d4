"""The faults that `mutations.py` plants; files are below `ferryman/model_server`, cases below this folder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutation:
    """A fault: a text that occurs once in a file of the server, what takes its place, and the cases that must fail."""

    name: str
    file: str
    find: str
    replace: str
    cases: tuple[str, ...]


MUTATIONS = (
    # Which version answers
    Mutation(
        "a label is ignored",
        "rpc/prediction.py",
        'spec.version_label if which == "version_label" else None,',
        "None,",
        ("test_labels.py::test_a_request_without_a_label_goes_to_the_highest_version_and_not_to_stable",),
    ),
    Mutation(
        "a label over REST is ignored",
        "rest/routes.py",
        "label = None if found[3] is None else _decoded(found[3])",
        "label = None",
        ("test_status.py::test_the_metadata_of_a_label_is_a_true_readiness_probe",),
    ),
    Mutation(
        "an unlabelled request goes to the lowest version",
        "servables.py",
        "served[managed.model, None] = served[managed.model, managed.number]",
        "served.setdefault((managed.model, None), served[managed.model, managed.number])",
        ("test_labels.py::test_a_request_without_a_label_goes_to_the_highest_version_and_not_to_stable",),
    ),
    Mutation(
        "an answer does not say its version",
        "codec.py",
        "    spec.version.value = version\n",
        "",
        ("test_labels.py::test_an_answer_names_the_version_that_a_label_points_to_and_never_the_label",),
    ),
    # Reloads
    Mutation(
        "a model that is not listed is kept",
        "core/reload.py",
        "pending = dict(state.pending) | {name: () for name in before - after}",
        "pending = dict(state.pending)",
        ("test_reload.py::test_a_model_that_is_not_listed_is_unloaded",),
    ),
    Mutation(
        "a reload waits for nothing",
        "servables.py",
        '        self._await("model")\n',
        "",
        ("test_reload.py::test_a_reload_returns_only_when_a_new_name_serves",),
    ),
    Mutation(
        "a half-applied reload is rolled back",
        "servables.py",
        "            else:\n                self._change(config)\n",
        "            else:\n                labels, source = self.router.labels, self._state.source\n"
        "                try:\n                    self._change(config)\n                except Refusal:\n"
        "                    self.router.labels = {}\n                    self._change(source)\n"
        "                    raise\n",
        (
            "test_reload.py::test_a_new_name_that_cannot_load_is_unknown_with_its_error_and_the_rest_is_applied",
            "test_reload.py::test_the_same_failed_call_again_is_ok_with_the_model_still_ended",
        ),
    ),
    Mutation(
        "the same failed reload fails again",
        "servables.py",
        "fresh = core.replace_source(self._state, models)[1]",
        "fresh = frozenset(model.name for model in models if not self._state.ready(model.name))",
        ("test_reload.py::test_the_same_failed_call_again_is_ok_with_the_model_still_ended",),
    ),
    Mutation(
        "a name may be listed twice",
        "core/config.py",
        "if model.name in seen:",
        "if False:",
        ("test_reload_refusals.py::test_a_name_listed_twice_is_refused_and_nothing_changes",),
    ),
    Mutation(
        "a relative path is accepted",
        "core/config.py",
        'if not (model.base_path.startswith("/") or URI.match(model.base_path)):',
        "if not model.base_path:",
        ("test_reload_refusals.py::test_a_relative_base_path_is_refused",),
    ),
    Mutation(
        "a platform may change",
        "core/config.py",
        "if old != new:",
        "if False:",
        ("test_reload_refusals.py::test_a_change_of_platform_is_refused",),
    ),
    Mutation(
        "a refused config is forgotten",
        "core/reload.py",
        "state = state._replace(config=models)",
        "state = state",
        ("test_reload_refusals.py::test_a_refused_config_is_the_one_against_which_the_next_platforms_are_compared",),
    ),
    Mutation(
        "a logging config passes",
        "servables.py",
        "            core.check_logging(config)\n",
        "",
        ("test_reload.py::test_a_logging_config_fails_the_reload_after_the_models_were_loaded",),
    ),
    Mutation(
        "an error text is not cut",
        "rpc/errors.py",
        "if len(encoded) <= LONGEST:",
        "if encoded:",
        ("test_status.py::test_a_text_longer_than_1024_bytes_is_cut_and_says_so",),
    ),
    # Labels
    Mutation(
        "labels are added to the old ones",
        "core/reload.py",
        "labels=_labels(state, models, any_new_label))",
        "labels=tuple(sorted({**{e[:2]: e for e in state.labels or ()}, "
        "**{e[:2]: e for e in _labels(state, models, any_new_label)}}.values())))",
        ("test_reload.py::test_a_label_that_is_not_in_the_new_config_vanishes",),
    ),
    Mutation(
        "with the flag an existing label moves anywhere",
        "core/reload.py",
        "free = any_new_label and existing.get((model.name, label), number) == number",
        "free = any_new_label",
        ("test_free_labels.py::test_an_existing_label_cannot_move_to_a_version_that_is_not_available",),
    ),
    Mutation(
        "without the flag a label points anywhere",
        "core/reload.py",
        "free = any_new_label and existing",
        "free = existing",
        ("test_labels.py::test_a_label_for_a_version_that_is_not_available_is_refused",),
    ),
    # Status
    Mutation(
        "the status forgets ended versions",
        "core/answers.py",
        "versions = state.of(name)\n",
        'versions = tuple(version for version in state.of(name) if version.status != "END")\n',
        ("test_status.py::test_an_unloaded_version_stays_listed_as_end_without_an_error",),
    ),
    Mutation(
        "a label in a status request is honoured",
        "rpc/models.py",
        'number = request.model_spec.version.value if request.model_spec.HasField("version") else None\n',
        'number = request.model_spec.version.value if request.model_spec.HasField("version") else None\n'
        "        if request.model_spec.version_label:\n"
        "            number = core.resolve(\n"
        "                self._servables.state, request.model_spec.name, None, request.model_spec.version_label\n"
        "            )\n",
        ("test_status.py::test_a_label_in_a_status_request_is_passed_over",),
    ),
    # Versions and policies
    Mutation(
        "latest is the lowest",
        "discovery.py",
        "numbers = numbers[-max(1, policy.count) :]",
        "numbers = numbers[: max(1, policy.count)]",
        ("test_versions.py::test_latest_loads_the_highest_numbers_and_one_by_default",),
    ),
    Mutation(
        "a specific policy loads others too",
        "discovery.py",
        'if policy.kind == "all":',
        'if policy.kind != "latest":',
        ("test_versions.py::test_a_specific_version_that_is_not_there_lets_no_other_in",),
    ),
    Mutation(
        "a missing base path is skipped",
        "discovery.py",
        "    return {model.name: _aspired(model, listing) for model in models}\n",
        "    found = {}\n    for model in models:\n        try:\n            found[model.name] = _aspired(model, listing)\n"
        "        except DiscoveryError:\n            continue\n    return found\n",
        ("test_reload.py::test_a_missing_base_path_stops_discovery_for_all_models",),
    ),
    Mutation(
        "a missing base path empties its model",
        "discovery.py",
        '            raise FileNotFoundError(f"NOT_FOUND: {model.base_path} not found")\n',
        "            return ()\n",
        ("test_versions.py::test_a_base_path_that_is_deleted_whole_keeps_being_served_and_an_emptied_one_does_not",),
    ),
    Mutation(
        "a name with an underscore is a version",
        "discovery.py",
        "([+-]?[0-9]+)",
        "([+-]?[0-9_]+)",
        ("test_versions.py::test_a_folder_is_a_version_when_its_name_is_a_64_bit_integer",),
    ),
    Mutation(
        "a failed version is tried again while it is wanted",
        "core/manage.py",
        'if m.aspired or m.life not in ("new", "disabled", "error"))',
        'if m.life != "error" and (m.aspired or m.life not in ("new", "disabled")))',
        (
            "test_versions.py::test_a_failed_version_is_not_tried_again_while_it_stays_wanted_even_when_it_became_complete",
        ),
    ),
    Mutation(
        "the old version goes before the new one is there",
        "core/manage.py",
        "if stale and (serving or not aspired or len(stale) > 1):",
        "if stale:",
        ("test_versions.py::test_the_only_version_stays_while_the_new_one_cannot_load",),
    ),
    Mutation(
        "two old versions both stay until the new one is there",
        "core/manage.py",
        "if stale and (serving or not aspired or len(stale) > 1):",
        "if stale and (serving or not aspired):",
        ("test_versions.py::test_with_two_versions_that_are_not_wanted_the_lowest_goes_before_the_new_one_is_there",),
    ),
    Mutation(
        "the highest unwanted version goes first",
        "core/manage.py",
        'return Action("unload", stale[0].model, stale[0].number)',
        'return Action("unload", stale[-1].model, stale[-1].number)',
        ("test_versions.py::test_with_two_versions_that_are_not_wanted_the_lowest_goes_before_the_new_one_is_there",),
    ),
    Mutation(
        "tries go on after a version is wanted no more",
        "core/load.py",
        "if tries <= retries and held.aspired:",
        "if tries <= retries:",
        ("test_retries.py::test_a_load_that_fails_again_after_its_version_is_wanted_no_more_ends_with_its_own_error",),
    ),
    Mutation(
        "a load that nobody wants any more serves",
        "loads.py",
        "if held and not held.aspired:",
        "if not held:",
        ("test_retries.py::test_a_load_that_succeeds_after_its_version_is_wanted_no_more_ends_as_cancelled",),
    ),
    # What a load does
    Mutation(
        "a warm-up record that fails is passed over",
        "loading.py",
        "                warm_up(servable, folder, self._options.num_request_iterations_for_warmup)\n",
        "                import contextlib\n\n                with contextlib.suppress(Exception):\n"
        "                    warm_up(servable, folder, self._options.num_request_iterations_for_warmup)\n",
        ("test_warm_up.py::test_a_record_that_fails_fails_the_load_with_its_error",),
    ),
    Mutation(
        "missing variables fail the load",
        "runtime/saved_model.py",
        'if (folder / "variables" / "variables.index").exists():',
        "if saver.filename_tensor_name:",
        ("test_status.py::test_a_model_without_its_variables_is_available_and_then_fails_every_request",),
    ),
    # Start, file and metrics
    Mutation(
        "a start that fails exits with 1",
        "ending.py",
        "FAILED = 255",
        "FAILED = 1",
        ("test_start.py::test_a_start_up_file_that_cannot_be_read_ends_the_start",),
    ),
    Mutation(
        "a file that did not change is not applied again",
        "config_file.py",
        "            self._servables.reload(config)\n",
        '            if config != getattr(self, "_last", config):\n                self._servables.reload(config)\n'
        "            self._last = config\n",
        ("test_config_polling.py::test_a_file_that_did_not_change_undoes_a_reload",),
    ),
    Mutation(
        "a refused request is not counted",
        "rpc/prediction.py",
        '        count_request(name, api, "GRPC", refusal.code, perf_counter() - began)\n',
        "",
        ("test_monitoring.py::test_a_refused_prediction_counts_under_its_code_and_the_name_that_was_asked_for",),
    ),
    # Requests
    Mutation(
        "an output filter is ignored",
        "rpc/prediction.py",
        "model.run(signature_name, asked.inputs, asked.output_filter)",
        "model.run(signature_name, asked.inputs, ())",
        ("requests/test_predict_outputs.py::test_an_output_filter_leaves_the_others_out",),
    ),
    Mutation(
        "MultiInference runs the model for each task",
        "inference.py",
        "    values = _run(servable, tasks, examples)\n",
        "    values: dict[str, np.ndarray] = {}\n    for each in tasks:\n"
        "        values |= _run(servable, [each], examples)\n",
        ("requests/test_multi_inference.py::test_the_model_runs_once_for_all_tasks",),
    ),
    Mutation(
        "NaN is printed as null",
        "rest/numbers.py",
        'b"NaN"',
        'b"null"',
        ("requests/test_rest_numbers.py::test_floats_are_written_with_six_digits_or_nine",),
    ),
    Mutation(
        "gzip is ignored",
        "rest/compression.py",
        'if "gzip" not in encoding or not body:',
        "if encoding or not body or not encoding:",
        ("requests/test_rest_connections.py::test_a_compressed_body_is_taken_and_the_answer_never_compressed",),
    ),
)
