-- Accounts for machines, by forms signed with an API key (XEP-0348). Registration happens before log-in, inside the broker, where
-- no component sees it; this module offers the form there, lets the Isthmus registry verify what comes back and count accounts
-- per key, and makes the account. Part of Isthmus, Apache-2.0. For Prosody 0.12 and later; see docs/accounts.md.
--
--   VirtualHost "example.org"
--       modules_enabled = { "isthmus_accounts" }
--       isthmus_accounts_service = "things.example.org"

-- From 13 on the parts of Prosody have names of its own, and the old ones only "for a transition period".
local function part(name)
	local found, it = pcall(require, name);
	return found and it or require("prosody." .. name);
end

local st = part("util.stanza");
local id = part("util.id");
local nodeprep = part("util.encodings").stringprep.nodeprep;
local now = part("util.time").now;
local usermanager = part("core.usermanager");

local register_ns = "jabber:iq:register";
local feature_ns = "http://jabber.org/features/iq-register";
local form_ns = "jabber:x:data";
local signature_type = "urn:xmpp:xdata:signature:oauth1";
local accounts_ns = "urn:isthmus:accounts:0";

local service = module:get_option_string("isthmus_accounts_service", "things." .. module.host);
-- Each refusal takes this long, whatever its reason, so that the time tells nothing (seconds).
local refusal_time = module:get_option_number("isthmus_accounts_refusal_time", 2);
local refusals_max = module:get_option_number("isthmus_accounts_refusals_max", 5);
local verify_time = module:get_option_number("isthmus_accounts_verify_time", 10);
-- How often the registry is asked which keys are suspended (seconds).
local poll_time = module:get_option_number("isthmus_accounts_poll_time", 30);

-- By user: the key that made the account.
local makers = module:open_store("isthmus_account");
-- One record for the host, so that a broker that starts without its registry still knows who is shut out.
local shut_out = module:open_store("isthmus_suspended");
local suspended = shut_out:get(nil) or {};

local function field(form, kind, name, label, value)
	form:tag("field", { type = kind, var = name, label = label });
	if label then form:tag("required"):up(); end
	if value then form:text_tag("value", value); end
	form:up();
end

-- Names in lower case, nothing read-only, fixed or of several lines: there signers differ in what they sort and sign.
local function form_for(token, token_secret)
	local form = st.stanza("x", { xmlns = form_ns, type = "form" })
		:text_tag("title", "An account for a machine")
		:text_tag("instructions", "Sign this form with an API key (XEP-0348).");
	field(form, "hidden", "FORM_TYPE", nil, signature_type);
	field(form, "hidden", "oauth_version", nil, "1.0");
	field(form, "hidden", "oauth_signature_method", nil, "HMAC-SHA1");
	field(form, "hidden", "oauth_token", nil, token);
	field(form, "hidden", "oauth_token_secret", nil, token_secret);
	field(form, "hidden", "oauth_nonce", nil, "");
	-- Our time: a machine whose clock is not set yet signs with it.
	field(form, "hidden", "oauth_timestamp", nil, string.format("%d", math.floor(now())));
	field(form, "hidden", "oauth_consumer_key", nil, "");
	field(form, "hidden", "oauth_signature", nil, "");
	field(form, "text-single", "username", "User name");
	field(form, "text-private", "password", "Password");
	return form;
end

local function is_waiting(session)
	return session.type == "c2s_unauthed" and not session.destroyed and session.conn ~= nil;
end

local function refuse(session, stanza, began)
	session.isthmus_refusals = (session.isthmus_refusals or 0) + 1;
	module:add_timer(math.max(0.01, began + refusal_time - now()), function ()
		session.isthmus_busy = nil;
		if not is_waiting(session) then return; end
		session.send(st.error_reply(stanza, "modify", "bad-request"));
		if session.isthmus_refusals >= refusals_max then
			session:close({ condition = "policy-violation", text = "Too many registrations were refused" });
		end
	end);
end

local function tell(name, reservation)
	local request = st.iq({ type = "set", from = module.host, to = service, id = id.medium() })
		:tag(name, { xmlns = accounts_ns, id = reservation });
	module:send_iq(request, nil, verify_time):catch(function (err)
		-- Not confirmed, it stays counted: nobody gets more accounts than he may.
		module:log("warn", "The registry was not told of %s of reservation %s: %s", name, reservation, err);
	end);
end

-- What asks for an invitation takes the key for one.
local signed = { use = function () return true; end };

local function make_account(session, stanza, granted, username, password)
	local reservation, key = granted.attr.id, granted.attr.key;
	local function fail(kind, condition, text)
		tell("unmade", reservation);
		session.isthmus_busy = nil;
		session.send(st.error_reply(stanza, kind, condition, text));
	end
	local user = {
		username = username, password = password, host = module.host, additional = {}, ip = session.ip;
		session = session, allowed = true, validated_invite = signed;
	};
	module:fire_event("user-registering", user);
	if not user.allowed then
		local err = user.error or {};
		return fail(err.type or "wait", err.condition or "policy-violation", err.text or user.reason);
	elseif usermanager.user_exists(username, module.host) then
		return fail("cancel", "conflict", "The requested username already exists.");
	end
	local made, err = usermanager.create_user(username, password, module.host);
	if not made then
		module:log("error", "The account %s could not be made: %s", username, err);
		return fail("wait", "internal-server-error");
	end
	if not makers:set(username, { key = key, reservation = reservation, made = os.time() }) then
		module:log("error", "It could not be noted that the key %s made the account %s", key, username);
		usermanager.delete_user(username, module.host);
		return fail("wait", "internal-server-error");
	end
	module:log("info", "The key %s made the account %s@%s", key, username, module.host);
	tell("made", reservation);
	session.isthmus_busy = nil;
	session.send(st.reply(stanza));
	module:fire_event("user-registered", {
		username = username, host = module.host, source = "mod_isthmus_accounts", session = session, validated_invite = signed;
	});
end

local function value_of(form, name)
	for one in form:childtags("field", form_ns) do
		if one.attr.var == name then return one:get_child_text("value"); end
	end
end

local function verify(session, stanza, form)
	local began = now();
	local given = session.isthmus_token or {};
	session.isthmus_token = nil; -- once
	local username, password = nodeprep(value_of(form, "username") or "", true), value_of(form, "password");
	if session.isthmus_busy or not username or username == "" or not password then
		return refuse(session, stanza, began);
	end
	session.isthmus_busy = true;
	local request = st.iq({ type = "set", from = module.host, to = service, id = id.medium() })
		:tag("sign", {
			xmlns = accounts_ns, token = given.token or "", tokenSecret = given.secret or "";
			ip = session.ip or "", to = stanza.attr.to or "";
		})
		:add_child(st.clone(form));
	module:send_iq(request, nil, verify_time):next(function (answer)
		local granted = answer.stanza:get_child("granted", accounts_ns);
		if not granted or granted.attr.name ~= username then
			if granted then tell("unmade", granted.attr.id); end
			return refuse(session, stanza, began);
		elseif not is_waiting(session) then
			return tell("unmade", granted.attr.id);
		end
		return make_account(session, stanza, granted, username, password);
	end, function (err)
		if err.condition ~= "bad-request" then
			module:log("warn", "The registry %s could not verify a registration: %s", service, err);
		end
		refuse(session, stanza, began);
	end):catch(function (err)
		module:log("error", "Registration failed: %s", err);
		refuse(session, stanza, began);
	end);
end

module:hook("stream-features", function (event)
	local session, features = event.origin, event.features;
	if session.type ~= "c2s_unauthed" or not session.secure or features:get_child("register", feature_ns) then return; end
	features:tag("register", { xmlns = feature_ns }):up();
end, -10);

-- Before mod_register_ibr, which would let anybody in: without a key, and without an invitation, nobody gets an account.
module:hook("stanza/iq/" .. register_ns .. ":query", function (event)
	local session, stanza = event.origin, event.stanza;
	if session.type ~= "c2s_unauthed" or session.validated_invite then return; end
	if not session.secure then
		session.send(st.error_reply(stanza, "modify", "policy-violation", "Encryption is required"));
		return true;
	end
	local query = stanza.tags[1];
	if stanza.attr.type == "get" then
		session.isthmus_token = { token = id.long(), secret = id.long() };
		local form = form_for(session.isthmus_token.token, session.isthmus_token.secret);
		session.send(st.reply(stanza):tag("query", { xmlns = register_ns }):add_child(form));
		return true;
	end
	local form = query:get_child("x", form_ns);
	if form then
		verify(session, stanza, form);
	else
		refuse(session, stanza, now());
	end
	return true;
end, 10);

-- Accounts of a suspended key: no new session, and those there are end.

local function is_suspended(username)
	local maker = next(suspended) ~= nil and makers:get(username);
	return maker and suspended[maker.key] or false;
end

module:hook("pre-resource-bind", function (event)
	if not is_suspended(event.session.username) then return; end
	event.error = { type = "auth", condition = "forbidden", text = "This account is suspended: ask who runs this server" };
	return false;
end, 10);

local function end_sessions()
	for username, user in pairs(prosody.hosts[module.host].sessions or {}) do
		if is_suspended(username) then
			local all = {};
			for _, session in pairs(user.sessions) do table.insert(all, session); end
			for _, session in ipairs(all) do
				session:close({ condition = "not-authorized", text = "This account is suspended" });
			end
		end
	end
end

local function learn(answer)
	local list = answer.stanza:get_child("suspended", accounts_ns);
	if not list then return; end
	local keys, is_new = {}, false;
	for one in list:childtags("key", accounts_ns) do
		if one.attr.id then
			keys[one.attr.id] = true;
			is_new = is_new or not suspended[one.attr.id];
		end
	end
	local is_less = false;
	for key in pairs(suspended) do is_less = is_less or not keys[key]; end
	suspended = keys;
	if is_new or is_less then shut_out:set(nil, next(keys) and keys or nil); end
	-- Who is suspended already has no session, and gets none.
	if is_new then end_sessions(); end
end

-- A registry that is away changes nothing: what was suspended stays so.
module:add_timer(1, function ()
	local request = st.iq({ type = "get", from = module.host, to = service, id = id.medium() })
		:tag("suspended", { xmlns = accounts_ns });
	module:send_iq(request, nil, verify_time):next(learn):catch(function (err)
		module:log("debug", "The registry did not say which keys are suspended: %s", err);
	end);
	return poll_time;
end);
