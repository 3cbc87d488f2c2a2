// What PocketBase runs at its first start: the collections, the account that may look, and a superuser, whose
// password nobody knows. Each of the two has a token, in a file in the directory for hooks.

migrate((app) => {
    const looking = "@request.auth.collectionName = 'monitors'"
    const time = { type: "date", name: "recorded_at", required: true }
    const text = (name) => ({ type: "text", name })

    const collections = [
        { type: "auth", name: "monitors", listRule: "id = @request.auth.id" },
        { type: "base", name: "devices", listRule: looking, fields: [time, text("name")] },
        {
            type: "base",
            name: "measurements",
            listRule: looking,
            fields: [time, text("device"), { type: "number", name: "reading" }],
        },
        { type: "base", name: "alarms", listRule: looking, fields: [time, text("device"), text("severity")] },
    ]
    for (const each of collections) {
        app.save(new Collection(each))
    }
    for (const [collection, name] of [["_superusers", "service"], ["monitors", "console"]]) {
        const account = new Record(app.findCollectionByNameOrId(collection))
        account.set("email", `${name}@example.org`)
        account.set("password", $security.randomString(40))
        app.save(account)
        const week = 7 * 24 * 3600 * 1e9 // in nanoseconds
        $os.writeFile(`${__hooks}/${name}.token`, account.newStaticAuthToken(week), 0o600)
    }
})
